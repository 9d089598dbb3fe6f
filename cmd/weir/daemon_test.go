package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/filter/config"
	"weir/monitor"
	"weir/monitor/baseline"
	"weir/monitor/drift"
)

func TestReadyWhenTheModelServerIs(t *testing.T) {
	defer goleak.VerifyNone(t)
	server := newModelServer(t)
	defer server.Close()
	d := start(t, writeConfig(t, server.URL, models("", "signs", "faces")))
	defer d.stop()

	d.await("/readyz?verbose", http.StatusServiceUnavailable)
	end := time.Now().Add(patience)
	want := "not ready\nmodel signs: model \"signs\": metadata: status 503\nmodel faces: model \"faces\": metadata: status 503\n"
	for got := ""; got != want; time.Sleep(10 * time.Millisecond) { // until the first answer of the model server
		if got = d.await("/readyz?verbose", http.StatusServiceUnavailable); got != want && time.Now().After(end) {
			t.Fatalf("not ready for the reasons %q, want %q", got, want)
		}
	}
	server.up.Store(true)
	if got, want := d.await("/readyz?verbose", http.StatusOK), "ready\nmodel signs: ready\nmodel faces: ready\n"; got != want {
		t.Errorf("/readyz?verbose = %q, want %q", got, want)
	}
	if got, want := d.await("/readyz", http.StatusOK), "ready\n"; got != want {
		t.Errorf("/readyz = %q, want %q", got, want)
	}
}

func TestRecordStreamsWhatBaselineReads(t *testing.T) {
	defer goleak.VerifyNone(t)
	d := start(t, writeConfig(t, "http://127.0.0.1:1", models("", "signs")))
	defer d.stop()

	response, err := http.Get(d.control + "/-/record?model=signs&for=300ms") // returns when recording has begun
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for _, s := range []monitor.Sample{
		{Model: "signs", Version: "1", Confidence: 0.9, Entropy: 0.2, Class: "stop"},
		{Model: "faces", Version: "1", Confidence: 0.9, Entropy: 0.2, Class: "eve"},
		{Model: "signs", Version: "2", Confidence: math.NaN(), Entropy: math.NaN(), Class: "give \"way\"\n"},
	} {
		d.monitor.Observe(s)
	}
	reader := baseline.NewReader(response.Body)
	first, err := reader.Next()
	if err != nil || first.Values["confidence"] != baseline.Number(0.9) || first.Values["entropy"] != baseline.Number(0.2) || first.Values["class"] != baseline.Name("stop") || first.Time.IsZero() {
		t.Errorf("first sample %+v, %v", first, err)
	}
	second, err := reader.Next()
	if err != nil || second.Values["confidence"].Kind() != baseline.Missing || second.Values["class"] != baseline.Name("give \"way\"\n") {
		t.Errorf("second sample %+v, %v", second, err)
	}
	if extra, err := reader.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the samples of the model: %+v, %v", extra, err)
	}
	if lost := response.Trailer.Get(droppedTrailer); lost != "0" {
		t.Errorf("trailer %s = %q, want 0", droppedTrailer, lost)
	}
}

func TestRecordIsCutShortByTheEnd(t *testing.T) {
	defer goleak.VerifyNone(t)
	d := start(t, writeConfig(t, "http://127.0.0.1:1", models("", "signs")))
	defer d.stop()
	response, err := http.Get(d.control + "/-/record?model=signs&for=1h")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	go d.stop()
	if _, err := io.ReadAll(response.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a recording that was cut short ends with %v", err)
	}
}

func TestControlIsForLocalTools(t *testing.T) {
	defer goleak.VerifyNone(t)
	d := start(t, writeConfig(t, "http://127.0.0.1:1", models("", "signs")))
	defer d.stop()
	port := d.control[strings.LastIndex(d.control, ":"):]
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		want   int
	}{
		{"by address", func(*http.Request) {}, http.StatusOK},
		{"by name", func(r *http.Request) { r.Host = "localhost" + port }, http.StatusOK},
		{"IPv6", func(r *http.Request) { r.Host = "[::1]" + port }, http.StatusOK},
		{"without a port", func(r *http.Request) { r.Host = "127.0.0.1" }, http.StatusOK},
		{"a name that leads here", func(r *http.Request) { r.Host = "attacker.example" + port }, http.StatusForbidden},
		{"a name that begins alike", func(r *http.Request) { r.Host = "localhost.attacker.example" }, http.StatusForbidden},
		{"an address that is not loopback", func(r *http.Request) { r.Host = "10.0.0.1" + port }, http.StatusForbidden},
		{"from a page", func(r *http.Request) { r.Header.Set("Origin", "https://attacker.example") }, http.StatusForbidden},
		{"from a page without an address", func(r *http.Request) { r.Header.Set("Origin", "null") }, http.StatusForbidden},
	} {
		for method, path := range map[string]string{"POST": "/-/reload", "GET": "/-/drift"} {
			if code, body, err := fetch(method, d.control+path, test.change); err != nil || code != test.want {
				t.Errorf("%s: %s %s answers %d %q, %v, want %d", test.name, method, path, code, body, err, test.want)
			}
		}
	}
}

// The models of a configuration that was loaded for a client are still read when
// the client, and with it the context of its request, is gone.
func TestReloadOutlivesItsRequest(t *testing.T) {
	defer goleak.VerifyNone(t)
	server := newModelServer(t)
	defer server.Close()
	server.up.Store(true)
	file := writeConfig(t, server.URL, models("", "signs"))
	d := start(t, file)
	defer d.stop()
	d.await("/readyz", http.StatusOK)

	server.up.Store(false)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	replaceFile(t, file, strings.Replace(string(text), models("", "signs"), models("", "signs", "faces"), 1))
	ctx, cancel := context.WithCancel(t.Context())
	code, body, err := fetch(http.MethodPost, d.control+"/-/reload", func(r *http.Request) { *r = *r.WithContext(ctx) })
	cancel()
	if err != nil || code != http.StatusOK {
		t.Fatalf("reload answers %d %q, %v", code, body, err)
	}
	if got := d.await("/readyz?verbose", http.StatusServiceUnavailable); !strings.HasPrefix(got, "not ready\nmodel signs: ready\nmodel faces: ") {
		t.Errorf("after the reload: %q, want the model that was known to be ready", got)
	}
	server.up.Store(true)
	d.await("/readyz", http.StatusOK)
}

func TestReloadsAtOnceAndAtTheEnd(t *testing.T) {
	defer goleak.VerifyNone(t)
	file := writeConfig(t, "http://127.0.0.1:1", models("", "m0"))
	d := start(t, file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 20 {
		replaceFile(t, file, strings.Replace(string(text), "m0", fmt.Sprintf("m%d", i), 1))
		all.Go(func() {
			if err := d.reloader.reload("test"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := d.await("/readyz?verbose", http.StatusServiceUnavailable); !strings.Contains(got, "model m19: ") {
		t.Errorf("the last file is not in use, but %q", got)
	}
	go d.stop()
	for range 20 { // some of them come too late; none may start what nobody ends
		replaceFile(t, file, string(text))
		_ = d.reloader.reload("test")
	}
	d.stop()
	if err := d.reloader.reload("test"); err == nil || err.Error() != "weir is ending" {
		t.Errorf("a reload after the end: %v", err)
	}
}

func TestDriftStateSurvivesARestart(t *testing.T) {
	defer goleak.VerifyNone(t)
	folder := t.TempDir()
	samples := make([]baseline.Sample, 300)
	for i := range samples {
		samples[i].Values = map[string]baseline.Value{"class": baseline.Name([]string{"stop", "yield"}[i%2])}
	}
	base, err := baseline.Build(samples, baseline.Options{Model: "signs"})
	if err != nil {
		t.Fatal(err)
	}
	if err := base.Save(filepath.Join(folder, "b.json")); err != nil {
		t.Fatal(err)
	}
	watched := fmt.Sprintf(", drift: {baseline: %s/b.json}", folder)
	file := writeConfig(t, "http://127.0.0.1:1", fmt.Sprintf("state: {dir: %s}\n", folder)+models(watched, "signs"))

	d := start(t, file)
	for range 123 {
		d.monitor.Observe(monitor.Sample{Model: "signs", Version: "1", Confidence: 0.9, Entropy: 0.2, Class: "stop"})
	}
	d.stop()
	before := d.monitor.Snapshot()[0].Drift

	d = start(t, file)
	after := d.monitor.Snapshot()[0].Drift
	if got := binTotal(after.Features[0].Bins); got != 123 || binTotal(before.Features[0].Bins) != got {
		t.Errorf("%d samples are known after the restart, want 123", got)
	}
	d.stop()
}

func binTotal(bins []drift.Bin) (n int64) {
	for _, b := range bins {
		n += b.Total
	}
	return n
}

// Whatever of the addresses is taken: the daemon ends with an error and leaves
// neither sockets nor goroutines behind.
func TestTakenAddresses(t *testing.T) {
	for _, taken := range []string{"listen", "public", "control"} {
		t.Run(taken, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			file := writeConfig(t, "http://127.0.0.1:1", models("", "signs"))
			cfg, _, err := config.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			network, address := "tcp", map[string]string{"public": cfg.Public, "control": cfg.Control}[taken]
			if taken == "listen" {
				network, address = "unix", strings.TrimPrefix(cfg.Listen, "unix://")
			}
			l, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			d, err := newDaemon(t.Context(), file, cfg, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			var exit *exitError
			if err := d.run(t.Context()); !errors.As(err, &exit) || exit.code != exitUndecided {
				t.Errorf("run: %v, want exit code %d", err, exitUndecided)
			}
			for _, a := range []string{cfg.Public, cfg.Control} {
				if other, err := net.Listen("tcp", a); err == nil {
					other.Close()
				} else if a != address {
					t.Errorf("%s was not released: %v", a, err)
				}
			}
			if _, err := os.Stat(strings.TrimPrefix(cfg.Listen, "unix://")); taken != "listen" && err == nil {
				t.Error("the socket was left behind")
			}
		})
	}
}
