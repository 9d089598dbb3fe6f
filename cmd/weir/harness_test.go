package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/filter/config"
)

// patience is how long something that is certain to come may take.
const patience = 20 * time.Second

// modelServer is a model server that has every model which it is asked for, in
// version 1, once it is up.
type modelServer struct {
	*httptest.Server
	up atomic.Bool
}

func newModelServer(t *testing.T) *modelServer {
	s := &modelServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/models/"), "/")
		switch {
		case !s.up.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case rest == "versions/1/ready":
		case rest == "versions/1/config":
			fmt.Fprintf(w, `{"name":%q,"max_batch_size":8,"input":[{"name":"IMAGE"}]}`, name)
		default:
			fmt.Fprintf(w, `{"name":%q,"versions":["1"],"platform":"python",
				"inputs":[{"name":"IMAGE","datatype":"BYTES","shape":[-1,1]}],
				"outputs":[{"name":"SCORES","datatype":"FP32","shape":[-1,2]}]}`, name)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// running is a daemon on free addresses, as weir serve runs it.
type running struct {
	*daemon
	t               *testing.T
	public, control string // "http://127.0.0.1:…"
	stop            func() // as SIGTERM does; waits
}

// models is the configuration of models with an image in and two classes out.
func models(rest string, names ...string) string {
	text := "models:\n"
	for _, name := range names {
		text += fmt.Sprintf("  - {name: %s, inputs: {IMAGE: {kind: image}}, outputs: {SCORES: {kind: probabilities}}%s}\n", name, rest)
	}
	return text
}

// writeConfig writes a configuration with free addresses to a new folder.
func writeConfig(t *testing.T, upstream, rest string) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "weir") // short: a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	public, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	control, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "weir.yaml")
	replaceFile(t, file, fmt.Sprintf("listen: unix://%s/s\npublic: %q\ncontrol: %q\nupstream: {http: %q}\n%s",
		folder, public, control, upstream, rest))
	return file
}

// freeAddress returns an address of which the port is free, and outside of the
// range from which Linux takes the ports of outgoing connections.
func freeAddress() (string, error) {
	var err error
	for range 100 {
		var l net.Listener
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(10_000))
		if l, err = net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", err
}

// replaceFile writes a file in one step.
func replaceFile(t *testing.T, file, text string) {
	t.Helper()
	if err := writeFile(file, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// start runs a daemon until stop is called, and waits until it is alive.
func start(t *testing.T, file string) *running {
	t.Helper()
	cfg, _, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d, err := newDaemon(ctx, file, cfg, io.Discard)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx) }()
	r := &running{daemon: d, t: t, public: "http://" + cfg.Public, control: "http://" + cfg.Control}
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	t.Cleanup(r.stop)
	r.await("/healthz", http.StatusOK)
	return r
}

// await waits until a page of the public address has a status, and returns it.
func (r *running) await(page string, code int) string {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if got, body, err := fetch(http.MethodGet, r.public+page); err == nil && got == code {
			return body
		}
	}
	r.t.Fatalf("GET %s never answered %d", page, code)
	return ""
}

func fetch(method, url string, change ...func(*http.Request)) (int, string, error) {
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		return 0, "", err
	}
	for _, f := range change {
		f(request)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}
