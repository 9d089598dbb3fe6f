//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/deploy/local"
)

// TestReadmeSteps does what the README tells somebody who already runs a Triton,
// word by word but for the addresses, and then classifies a picture.
func TestReadmeSteps(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deps.Root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## Put it in front of your Triton")
	section, _, _ = strings.Cut(section, "To roll it out")
	ports := freePorts(t, 4)
	public, control, front, admin := ports[0], ports[1], ports[2], ports[3]
	dir := t.TempDir()
	addresses := strings.NewReplacer(
		"unix:///run/weir/extproc.sock", "unix://"+filepath.Join(dir, "s.sock")+"\npublic: \""+public+"\"\ncontrol: \""+control+"\"",
		"127.0.0.1:8000", triton.HTTP, "0.0.0.0:8080", front+" --admin "+admin,
		"envoy -c", "envoy --use-dynamic-base-id -c") // beside other Envoys of this machine

	config := block(t, section, "yaml weir.yaml")
	if err := os.WriteFile(filepath.Join(dir, "weir.yaml"), []byte(addresses.Replace(config)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	steps := lines(section)
	if len(steps) == 0 {
		t.Fatal("README has no commands")
	}
	for _, line := range steps {
		step(t, dir, addresses.Replace(line))
	}
	if got := classify(t, front); got.Outputs[0].Name != "SCORES" {
		t.Errorf("answer %+v", got)
	}
}

// step runs one command of the README: in the background if it ends in &, until
// it succeeds if it asks for health, else once.
func step(t *testing.T, dir, line string) {
	t.Helper()
	t.Log("$", line)
	if line == "make build" {
		c := exec.Command("make", "build")
		c.Dir = deps.Root
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if err := os.Symlink(filepath.Join(deps.Root, "bin", "weir"), filepath.Join(dir, "bin", "weir")); err != nil {
			t.Fatal(err)
		}
		return
	}
	path := "PATH=" + filepath.Dir(deps.Envoy) + ":" + os.Getenv("PATH")
	command, background := strings.CutSuffix(line, "&")
	if background {
		p, err := local.Start(context.Background(), local.Spec{Name: strings.Fields(line)[0][:3], Path: "/bin/bash",
			Args: []string{"-c", "exec " + command}, Dir: dir, LogDir: dir, Env: append(os.Environ(), path)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Stop(context.Background()) })
		return
	}
	once := func() ([]byte, error) {
		c := exec.Command("/bin/bash", "-c", command)
		c.Dir, c.Env = dir, append(os.Environ(), path)
		return c.CombinedOutput()
	}
	if strings.Contains(line, "healthcheck") {
		eventually(t, line, func() bool { _, err := once(); return err == nil })
		return
	}
	if out, err := once(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

// block returns the first fenced block of a kind, without its indentation.
func block(t *testing.T, text, kind string) string {
	t.Helper()
	m := regexp.MustCompile("(?ms)^ *```" + regexp.QuoteMeta(kind) + "\n(.*?)^ *```").FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("README has no block of %s", kind)
	}
	return regexp.MustCompile("(?m)^   ").ReplaceAllString(m[1], "")
}

// lines returns the lines of all shell blocks, in their order.
func lines(text string) []string {
	var all []string
	for _, m := range regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```").FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(m[1]) {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

func freePorts(t *testing.T, n int) []string {
	t.Helper()
	all := make([]string, n)
	for i := range all {
		port, err := local.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		all[i] = fmt.Sprintf("127.0.0.1:%d", port)
	}
	return all
}

type classified struct {
	Outputs []struct {
		Name string    `json:"name"`
		Data []float64 `json:"data"`
	} `json:"outputs"`
}

// classify sends the demo's photo of a sign through Envoy in binary form.
func classify(t *testing.T, address string) (answer classified) {
	t.Helper()
	c := exec.Command(deps.Python, "-c", "import sys, signs; sys.stdout.buffer.write(signs.encode_jpeg(signs.sample(1, 1)[0]))")
	c.Dir = filepath.Join(deps.Root, "deploy", "local", "train")
	picture, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	n := len(picture)
	head := fmt.Sprintf(`{"inputs":[{"name":"IMAGE","shape":[1,1],"datatype":"BYTES","parameters":{"binary_data_size":%d}}],"outputs":[{"name":"SCORES"}]}`, n+4)
	body := head + string([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}) + string(picture)
	request, err := http.NewRequest(http.MethodPost, "http://"+address+"/v2/models/traffic-sign/infer", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Inference-Header-Content-Length", fmt.Sprint(len(head)))
	var response *http.Response
	eventually(t, "an answer of 200", func() bool {
		request.Body, _ = request.GetBody()
		if response, err = http.DefaultClient.Do(request); err != nil {
			return false
		}
		if response.StatusCode != http.StatusOK {
			_ = response.Body.Close()
		}
		return response.StatusCode == http.StatusOK
	})
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || len(answer.Outputs) != 1 {
		t.Fatalf("answer %+v, %v", answer, err)
	}
	return answer
}
