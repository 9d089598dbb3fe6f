//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// weir runs a subcommand and returns what it printed and its exit code.
func weir(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, messages strings.Builder
	c := exec.CommandContext(t.Context(), weirBinary, args...)
	c.Stdout, c.Stderr = &out, &messages
	if err := c.Run(); c.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), messages.String(), c.ProcessState.ExitCode()
}

// A draft of the real Triton says what its models are, serves nothing, and serves
// them all once every kind is written.
func TestInitDraftsTheRealTriton(t *testing.T) {
	file := filepath.Join(tempDir(t), "weir.yaml")
	if _, messages, code := weir(t, "init", "--upstream", "http://"+triton.HTTP, "--grpc", triton.GRPC, "--out", file); code != 0 || messages != "" {
		t.Fatalf("exit code %d: %s", code, messages)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	draft := string(text)
	for _, line := range []string{
		"# Drafted by weir init from triton 2.51.0 at http://" + triton.HTTP + ".",
		"  dialect: triton",
		`  grpc: "` + triton.GRPC + `"`,
		"  # backend python, takes batches of up to 16\n  - name: traffic-sign\n    versions: [\"1\"]",
		"      IMAGE: {kind: unconfirmed}  # BYTES [-1, 1]: image, text or opaque; by its name image",
		"      SCORES: {kind: probabilities}  # FP32 [-1, 8]; labels: labels.txt in the folder of the model; if rows do not sum to 1: tensor",
		"      LABEL: {kind: labels}  # BYTES [-1, 1]",
		"      BOOL: {kind: unconfirmed}  # BOOL [-1, -1], optional: tensor or opaque",
	} {
		if !strings.Contains(draft, line+"\n") {
			t.Errorf("the draft lacks %q", line)
		}
	}
	if n := strings.Count(draft, "  - name: "); n != 4 {
		t.Errorf("the draft has %d models, want the 4 that are loaded", n)
	}
	if _, messages, code := weir(t, "check", "--config", file); code != 4 ||
		strings.Count(messages, "nobody has confirmed what this input holds") != strings.Count(draft, "{kind: unconfirmed}") {
		t.Errorf("the draft is checked with exit code %d: %s", code, messages)
	}

	confirmed := regexp.MustCompile(`unconfirmed(\}.*by its name (\w+))`).ReplaceAllString(draft, "$2$1")
	confirmed = regexp.MustCompile(`unconfirmed(\}  # (BYTES).*)`).ReplaceAllString(confirmed, "opaque$1")
	confirmed = strings.ReplaceAll(confirmed, "{kind: unconfirmed}", "{kind: tensor}")
	if err := os.WriteFile(file, []byte(confirmed), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, messages, code := weir(t, "check", "--config", file); code != 0 {
		t.Fatalf("the confirmed draft is checked with exit code %d: %s", code, messages)
	}
	s := private(t, stackOptions{upstream: triton.HTTP, config: confirmed[strings.Index(confirmed, "\nmodels:"):]}).ready(t)
	if r := s.post(t, echoInfer, textRequest("", "héllo")); r.status != http.StatusOK {
		t.Errorf("behind the confirmed draft: %v", r)
	}
}
