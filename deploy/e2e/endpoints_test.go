//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
)

// What tells of the server's insides is closed, opens with a reload, and closes
// again; opened, it says what Triton says.
func TestEndpointsAreOpenedByThePolicy(t *testing.T) {
	const models = "models: [{name: echo, inputs: {TEXT: {kind: text}}}]\n"
	s := private(t, stackOptions{upstream: triton.HTTP, config: models}).ready(t)
	endpoints := []struct{ name, method, path string }{
		{"config", http.MethodGet, "/v2/models/echo/config"},
		{"config", http.MethodGet, "/v2/models/echo/versions/1/config"},
		{"statistics", http.MethodGet, "/v2/models/echo/stats"},
		{"statistics", http.MethodGet, "/v2/models/echo/versions/1/stats"},
		{"statistics", http.MethodGet, "/v2/models/stats"},
		{"repository_index", http.MethodPost, "/v2/repository/index"},
	}
	try := func(t *testing.T, open string) {
		t.Helper()
		for _, e := range endpoints {
			request := func(addr string) reply {
				r, err := (&stack{addr: addr}).send(client, e.method, e.path, nil)
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			if e.name != open {
				s.unmoved(t, func() { wantRefused(t, request(s.addr), forbidden, "route_denied") })
				continue
			}
			direct, through := request(triton.HTTP), request(s.addr)
			var want, have any
			if json.Unmarshal(direct.body, &want) != nil || json.Unmarshal(through.body, &have) != nil ||
				through.status != http.StatusOK || !reflect.DeepEqual(want, have) {
				t.Errorf("%s: %v, without Weir %v", e.path, through, direct)
			}
		}
	}
	try(t, "")
	for _, open := range []string{"config", "statistics", "repository_index", ""} {
		config := models
		if open != "" {
			config = "endpoints: [" + open + "]\n" + models
		}
		s.use(t, config)
		try(t, open)
	}
}

// A model without rules has no configuration and no statistics of its own for
// clients, and an endpoint that takes no body gets none.
func TestOpenedEndpointsKeepTheRules(t *testing.T) {
	s := private(t, stackOptions{upstream: triton.HTTP, config: `endpoints: [config, statistics, repository_index]
models: [{name: echo, versions: ["1"], inputs: {TEXT: {kind: text}}}]
`}).ready(t)
	s.unmoved(t, func() {
		wantRefused(t, s.get(t, "/v2/models/identity/config"), forbidden, "model_unknown")
		wantRefused(t, s.get(t, "/v2/models/identity/stats"), forbidden, "model_unknown")
		wantRefused(t, s.get(t, "/v2/models/echo/versions/2/config"), forbidden, "model_version_unknown")
		wantRefused(t, s.post(t, "/v2/models/echo/config", ""), http.StatusMethodNotAllowed, "method_not_allowed")
		wantRefused(t, s.post(t, "/v2/repository/index", `{"ready":true}`), bad, "header_invalid")
		wantRefused(t, s.post(t, "/v2/repository/models/echo/load", ""), forbidden, "route_denied")
	})
}

// NVIDIA's client calls what its perf_analyzer needs.
func TestTritonclientReadsOpenedEndpoints(t *testing.T) {
	s := private(t, stackOptions{upstream: triton.HTTP, config: `endpoints: [config, statistics, repository_index]
models: [{name: echo, inputs: {TEXT: {kind: text}}}]
`}).ready(t)
	out, err := exec.CommandContext(t.Context(), deps.Python, filepath.Join("testdata", "endpoints.py"), triton.HTTP, s.addr).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
