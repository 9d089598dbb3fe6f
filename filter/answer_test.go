package filter

import (
	"testing"

	"weir/filter/codec"
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
