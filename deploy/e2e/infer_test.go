//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/deploy/local"
)

// Each form of a request must reach the model as the same typed message, under
// Weir's id, and its answer must come back under the client's.
func TestEveryFormOfARequest(t *testing.T) {
	shared.ready(t)
	plain := textRequest("client-7", "héllo")
	packed, header := message{ID: "client-7", Inputs: []tensor{{Name: "TEXT", DataType: "BYTES", Shape: []int64{1}, blob: elements("héllo")}}}.encode()
	mixed, mixedHeader := message{ID: "client-7", Inputs: []tensor{
		{Name: "TEXT", DataType: "BYTES", Shape: []int64{1}, Data: []any{"héllo"}},
		{Name: "IMAGE", DataType: "BYTES", Shape: []int64{0}, blob: []byte{}},
	}}.encode()
	length := func(n int) string { return "Inference-Header-Content-Length: " + strconv.Itoa(n) }
	tests := []struct {
		name    string
		body    string
		headers []string
	}{
		{"JSON", plain, nil},
		{"binary", string(packed), []string{length(header)}},
		{"mixed", string(mixed), []string{length(mixedHeader)}},
		{"gzip", gzipped(plain), []string{"Content-Encoding: gzip"}},
		{"deflate", deflated(plain), []string{"Content-Encoding: deflate"}},
		{"gzip, binary", gzipped(string(packed)), []string{"Content-Encoding: gzip", length(header)}},
		{"chunked", plain, nil},
	}
	for _, h2c := range []bool{false, true} {
		c := newClient(h2c)
		for _, test := range tests {
			t.Run(fmt.Sprintf("%s, h2c %t", test.name, h2c), func(t *testing.T) {
				var source io.Reader = strings.NewReader(test.body)
				if test.name == "chunked" {
					source = io.MultiReader(source) // of unknown length
				}
				r, err := shared.send(c, http.MethodPost, echoInfer, source, test.headers...)
				if err != nil || r.status != http.StatusOK {
					t.Fatalf("%v, %v", r, err)
				}
				m, err := decode(r)
				if err != nil || m.ID != "client-7" || m.ModelName != "echo" || m.ModelVersion != "1" {
					t.Fatalf("%v, %v", r, err)
				}
				if i := slices.IndexFunc(m.Outputs, func(o tensor) bool { return o.Name == "ECHO_TEXT" }); i < 0 || m.Outputs[i].Data[0] != "héllo" {
					t.Errorf("answer %s", r.body)
				}
				got := lastReceived(t)
				if got.ID != r.header.Get("x-weir-decision-id") {
					t.Errorf("the model saw the id %q, the decision is %q", got.ID, r.header.Get("x-weir-decision-id"))
				}
				i := slices.IndexFunc(got.Inputs, func(in local.ReceivedInput) bool { return in.Name == "TEXT" })
				want := local.ReceivedInput{Name: "TEXT", Datatype: "BYTES", Shape: []int64{1}, Bytes: []int64{6}, SHA256: []string{digest("héllo")}}
				if i < 0 || !reflect.DeepEqual(got.Inputs[i], want) {
					t.Errorf("the model received %+v", got)
				}
			})
		}
	}
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func lastReceived(t *testing.T) local.Received {
	t.Helper()
	all, err := triton.Received()
	if err != nil || len(all) == 0 {
		t.Fatalf("no record: %v", err)
	}
	return all[len(all)-1]
}

// The client gets the outputs that it named, in its order and form.
func TestOutputsAsAsked(t *testing.T) {
	shared.ready(t)
	request := `{"inputs":[
		{"name":"UINT8","datatype":"UINT8","shape":[1,3],"data":[1,2,255]},
		{"name":"BYTES","datatype":"BYTES","shape":[1,2],"data":["a","é"]}]%s}`
	binaryUint8 := tensor{Name: "ECHO_UINT8", DataType: "UINT8", Shape: []int64{1, 3}, Parameters: map[string]any{"binary_data_size": 3.0}, blob: []byte{1, 2, 255}}
	jsonUint8 := tensor{Name: "ECHO_UINT8", DataType: "UINT8", Shape: []int64{1, 3}, Data: []any{1.0, 2.0, 255.0}}
	jsonBytes := tensor{Name: "ECHO_BYTES", DataType: "BYTES", Shape: []int64{1, 2}, Data: []any{"a", "é"}}
	binaryBytes := tensor{Name: "ECHO_BYTES", DataType: "BYTES", Shape: []int64{1, 2}, Parameters: map[string]any{"binary_data_size": 11.0}, blob: elements("a", "é")}
	tests := []struct {
		name, asked string
		want        []tensor
	}{
		{"all", ``, []tensor{jsonUint8, jsonBytes}},
		{"all, binary", `,"parameters":{"binary_data_output":true}`, []tensor{binaryUint8, binaryBytes}},
		{"other order", `,"outputs":[{"name":"ECHO_BYTES"},{"name":"ECHO_UINT8","parameters":{"binary_data":true}}]`, []tensor{jsonBytes, binaryUint8}},
		{"one", `,"outputs":[{"name":"ECHO_BYTES","parameters":{"binary_data":true}}]`, []tensor{binaryBytes}},
		{"one, JSON against the default", `,"parameters":{"binary_data_output":true},"outputs":[{"name":"ECHO_UINT8"}]`, []tensor{jsonUint8}},
	}
	for _, test := range tests {
		for _, coding := range []string{"", "gzip", "deflate", "br", "gzip;q=0.5, deflate"} {
			t.Run(test.name+", "+coding, func(t *testing.T) {
				r := shared.post(t, "/v2/models/identity/infer", fmt.Sprintf(request, test.asked), "Accept-Encoding: "+coding)
				if r.status != http.StatusOK {
					t.Fatal(r)
				}
				m, err := decode(inflated(t, r, coding))
				if err != nil || !reflect.DeepEqual(m.Outputs, test.want) {
					t.Errorf("have %+v, want %+v (%v)", m.Outputs, test.want, err)
				}
			})
		}
	}
}

// inflated undoes the coding that the client asked for, which must be there.
func inflated(t *testing.T, r reply, accepted string) reply {
	t.Helper()
	want := map[string]string{"gzip": "gzip", "deflate": "deflate", "gzip;q=0.5, deflate": "deflate"}[accepted]
	if r.header.Get("content-encoding") != want || r.header.Get("content-length") != strconv.Itoa(len(r.body)) {
		t.Fatalf("accepted %q: %v", accepted, r)
	}
	var stream io.Reader = bytes.NewReader(r.body)
	var err error
	switch want {
	case "gzip":
		stream, err = gzip.NewReader(stream)
	case "deflate":
		stream, err = zlib.NewReader(stream)
	}
	if err == nil {
		r.body, err = io.ReadAll(stream)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHealthAndMetadata(t *testing.T) {
	shared.ready(t)
	for _, c := range []*http.Client{client, newClient(true)} {
		for path, want := range map[string]string{
			"/v2":                              `"name":"triton"`,
			"/v2/health/live":                  "",
			"/v2/health/ready?x=1":             "",
			"/v2/models/echo":                  `"name":"echo"`,
			"/v2/models/echo/versions/1":       `"versions":["1"]`,
			"/v2/models/echo/ready":            "",
			"/v2/models/echo/versions/1/ready": "",
		} {
			r, err := shared.send(c, http.MethodGet, path, nil)
			if err != nil || r.status != http.StatusOK || !strings.Contains(string(r.body), want) {
				t.Errorf("GET %s: %v, %v", path, r, err)
			}
		}
	}
}

// NVIDIA's own client must not see a difference: every datatype, JSON and binary,
// both compressions both ways, shapes with several rows and with none.
func TestTritonclientSeesNoDifference(t *testing.T) {
	shared.ready(t)
	out, err := exec.CommandContext(t.Context(), deps.Python, filepath.Join("testdata", "compare.py"), triton.HTTP, shared.addr).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(out))); err != nil || n < 100 {
		t.Errorf("compare.py compared %q answers, want at least 100", out)
	}
}
