//go:build e2e

package e2e

import (
	"context"
	"testing"

	"weir/deploy/local"
)

// Audio parts and usage in streams, before a server that knows them.
func TestOpenAIAudioAndUsage(t *testing.T) {
	server, err := local.StartLiteLLM(context.Background(), deps, tempDir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	s := private(t, stackOptions{upstream: triton.HTTP, openAI: server, config: `models:
  - name: mock
    protocol: openai
    inputs: {text: {kind: text}, audio: {kind: opaque}}
`}).ready(t)
	if n := python(t, "openai_usage.py", server.URL, "http://"+s.addr); n != "6" {
		t.Errorf("openai_usage.py compared %q answers, want 6", n)
	}
}
