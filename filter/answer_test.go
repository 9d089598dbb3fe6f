package filter

import (
	"fmt"
	"testing"

	"weir/filter/codec"
	"weir/filter/codec/kserve"
)

// Triton, MLServer and KServe have one form of errors, FastAPI below the latter two
// another.
func TestErrorText(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"Model x not found"}`: "Model x not found", `{"detail":"Not Found"}`: "Not Found", `{"error":"a","detail":"b"}`: "a",
		`{"detail":[{"type":"missing","msg":"Field required","input":"secret"}]}`: "", `{"error":null}`: "", `{"error":{"message":"a"}}`: "",
		`[]`: "", `Internal Server Error`: "", ``: "",
	} {
		if got := errorText(codec.KServeHTTP, []byte(body)); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

// A decision id that comes back in JSON is held against the request that it was given
// to; the codec must know its form.
func TestDecisionIDsAreKnownInJSON(t *testing.T) {
	c, err := kserve.NewJSON(kserve.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		id := newDecisionID()
		r, err := c.DecodeResponse(nil, nil, fmt.Appendf(nil, `{"id":%q,"model_name":"m","outputs":[]}`, id))
		if err != nil || r.Anonymous || r.ID != id {
			t.Fatalf("%s: %+v, %v", id, r, err)
		}
	}
}
