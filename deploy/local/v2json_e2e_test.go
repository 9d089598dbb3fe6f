//go:build e2e

package local

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// Both servers answer, side by side, and their records are of what each got.
func TestServersOfPlainV2(t *testing.T) {
	dir := t.TempDir()
	for name, start := range map[string]func(context.Context, Deps, string) (*V2Server, error){"mlserver": StartMLServer, "kserve": StartKServe} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deps, err := FindDeps()
			if err != nil {
				t.Fatal(err)
			}
			server, err := start(t.Context(), deps, dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := server.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			})
			status, reply, err := infer(t.Context(), server.HTTP, fmt.Sprintf(`{"id":"of-%s","inputs":[{"name":"TEXT","datatype":"BYTES","shape":[1],"data":["text"]},
				{"name":"IMAGE","datatype":"BYTES","shape":[1],"data":["dGV4dA=="]},{"name":"FP32","datatype":"FP32","shape":[1,2],"data":[0.5,1]}]}`, name))
			if err != nil || status != http.StatusOK || !strings.Contains(reply, `"id":"of-`+name+`"`) || !strings.Contains(reply, `"data":["text"]`) {
				t.Fatalf("status %d, %s, %v", status, reply, err)
			}
			received, err := server.Received()
			if err != nil || len(received) != 1 {
				t.Fatalf("%+v, %v", received, err)
			}
			// The digests are those of sha256sum.
			const text = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"
			one := received[0]
			want := []ReceivedInput{{"TEXT", "BYTES", []int64{1}, []int64{4}, []string{text}}, {"IMAGE", "BYTES", []int64{1}, []int64{4}, []string{text}},
				{"FP32", "FP32", []int64{1, 2}, []int64{8}, []string{"9612447463caefad31915f64e51022988711393baf3f6c81ed61c38a46e24351"}}}
			if one.Model != "echo" || one.ID != "of-"+name || one.Headers["host"] != server.HTTP || !reflect.DeepEqual(one.Inputs, want) {
				t.Errorf("%+v", one)
			}
		})
	}
}
