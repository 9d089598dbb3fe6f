//go:build e2e

package local

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// The server answers, only on this machine, and its record is of what it got.
func TestOpenAI(t *testing.T) {
	deps, err := FindDeps()
	if err != nil {
		t.Fatal(err)
	}
	server, err := StartOpenAI(t.Context(), deps, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	const body = `{"model": "org/echo", "messages": [{"role": "user", "content": "a\u00e9"}]}`
	response, err := http.Post(server.URL+"/v1/chat/completions", "application/json", strings.NewReader(body))
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", response, err)
	}
	response.Body.Close()
	received, err := server.Received()
	if err != nil || len(received) != 1 || received[0].Body != body || received[0].Path != "/openai/v1/chat/completions" ||
		received[0].Headers["content-type"] != "application/json" {
		t.Errorf("%+v, %v", received, err)
	}
}
