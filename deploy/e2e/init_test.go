//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/deploy/local"
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

	confirmed := confirm(t, file, draft)
	s := private(t, stackOptions{upstream: triton.HTTP, config: confirmed[strings.Index(confirmed, "\nmodels:"):]}).ready(t)
	if r := s.post(t, echoInfer, textRequest("", "héllo")); r.status != http.StatusOK {
		t.Errorf("behind the confirmed draft: %v", r)
	}
}

// confirm writes a kind for every input of a draft, that of its name where it says
// one, and returns what weir check must find valid.
func confirm(t *testing.T, file, draft string) string {
	t.Helper()
	confirmed := regexp.MustCompile(`unconfirmed(\}.*by its name (\w+))`).ReplaceAllString(draft, "$2$1")
	confirmed = regexp.MustCompile(`unconfirmed(\}  # (BYTES).*)`).ReplaceAllString(confirmed, "opaque$1")
	confirmed = strings.ReplaceAll(confirmed, "{kind: unconfirmed}", "{kind: tensor}")
	confirmed = regexp.MustCompile(`\{kind: image\}(.*encoding: base64)`).ReplaceAllString(confirmed, "{kind: image, encoding: base64}$1")
	if err := os.WriteFile(file, []byte(confirmed), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, messages, code := weir(t, "check", "--config", file); code != 0 {
		t.Fatalf("the confirmed draft is checked with exit code %d: %s", code, messages)
	}
	return confirmed
}

// Servers without Triton's extensions tell no configuration and no versions of models,
// and each lists its models in another way.
func TestInitDraftsServersOfPlainV2(t *testing.T) {
	for name, start := range map[string]func(context.Context, local.Deps, string) (*local.V2Server, error){
		"mlserver": local.StartMLServer, "kserve": local.StartKServe} {
		t.Run(name, func(t *testing.T) {
			dir := tempDir(t)
			server, err := start(t.Context(), deps, dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := server.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			})
			draft, messages, code := weir(t, "init", "--upstream", "http://"+server.HTTP)
			if code != 0 || messages != "" {
				t.Fatalf("exit code %d: %s", code, messages)
			}
			for _, line := range []string{
				"  dialect: v2-json  # the server does not say that it takes binary tensors",
				"  - name: classifier\n    inputs:\n      VALUES: {kind: unconfirmed}  # FP32 [-1, 3]: tensor or opaque",
				"      SCORES: {kind: probabilities}  # FP32 [-1, 3]; if rows do not sum to 1: tensor",
				"      IMAGE: {kind: unconfirmed}  # BYTES [-1]: image with encoding: base64, text or opaque; by its name image",
			} {
				if !strings.Contains(draft, line+"\n") {
					t.Errorf("the draft lacks %q:\n%s", line, draft)
				}
			}
			confirmed := confirm(t, filepath.Join(dir, "weir.yaml"), draft)
			s := private(t, stackOptions{upstream: server.HTTP, dialect: "v2-json", config: confirmed[strings.Index(confirmed, "\nmodels:"):]}).ready(t)
			if r := s.post(t, echoInfer, textRequest("", "héllo")); r.status != http.StatusOK {
				t.Errorf("behind the confirmed draft: %v", r)
			}
		})
	}
}
