package telemetry

import (
	"bytes"
	"context"
	"flag"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	envoyTraceparent  = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	clientTraceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

// clock is a time that only the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// syncBuffer is a buffer that a logger and a test may share.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// newTest returns a Telemetry with a clock and log of the test's.
func newTest(t *testing.T, config Config, exporter sdktrace.SpanExporter) (*Telemetry, *clock, *syncBuffer) {
	t.Helper()
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "")
	t.Setenv("OTEL_SERVICE_NAME", "")
	clk, log := newClock(), &syncBuffer{}
	config.Version = "1.2.3"
	tel, err := newTelemetry(t.Context(), config, NewLogger(log, slog.LevelInfo), exporter, clk.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tel, clk, log
}

// scrape returns the metrics page in the given format.
func scrape(t *testing.T, tel *Telemetry, accept string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// own returns the lines of a metrics page without those of the Go runtime and
// the process, which differ from run to run.
func own(page string) string {
	var b strings.Builder
	notOwn := regexp.MustCompile(`^(# (HELP|TYPE|UNIT) )?(go_|process_)`)
	for line := range strings.Lines(page) {
		if !notOwn.MatchString(line) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	path := "testdata/" + file
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and read the change. Got:\n%s", path, got)
	}
}

// drive calls everything that moves a metric.
func drive(t *testing.T, tel *Telemetry, clk *clock) {
	t.Helper()
	tel.ConfigLoaded("sha256:4f2a")
	created := clk.Now().Add(-48 * time.Hour)
	tel.SetStatus(func() Status {
		return Status{
			Streams: 3, InFlightBytes: 1 << 20, MonitorDropped: 5,
			DriftBlocksUsed: 2, DriftBlocksSkipped: 1,
			Models: []ModelStatus{
				{Model: "traffic-sign", UpstreamReady: true, Watchable: true, Drift: &DriftStatus{
					Version: "1", Group: "outputs", BaselineID: "sha256:77", BaselineCreated: created, Ratio: .125,
					Features: []FeatureStatus{{Name: "confidence", Bins: []int64{1, 0, 2}}}}},
				{Model: "echo"},
				{Model: "resnet-*", Watchable: true},
			},
		}
	})
	exchange(t, tel, clk)

	_, e := tel.StartExchange(t.Context(), ExchangeStart{GRPCTraceparent: envoyTraceparent})
	e.AddTime(PhaseRequest, 100*time.Microsecond)
	e.End(Outcome{Decision: DecisionBlock, Reason: "model_unknown", Status: 403, DecisionID: "d2"})

	_, e = tel.StartExchange(t.Context(), ExchangeStart{})
	e.SetModel("traffic-sign", "1", "traffic-sign")
	e.AddTime(PhaseResponse, time.Millisecond)
	e.OutputRejected("output_not_finite")
	clk.Add(11 * time.Second)
	e.End(Outcome{Status: 502, DecisionID: "d3"})

	tel.DriftAlarm(alarm())
	clk.Add(time.Minute)
	tel.ConfigRejected()
}

// exchange records a flagged exchange with all of its steps.
func exchange(t *testing.T, tel *Telemetry, clk *clock) {
	t.Helper()
	_, e := tel.StartExchange(t.Context(), ExchangeStart{
		GRPCTraceparent: envoyTraceparent, GRPCTracestate: "vendor=x",
		HTTPTraceparent: clientTraceparent,
		Method:          "POST", Path: "/v2/models/traffic-sign/infer?token=secret",
		RequestID: "b2c1", Protocol: "kserve_v2_http",
	})
	e.StartStep(StepRequestDecode).End("")
	e.SetModel("traffic-sign", "1", "traffic-sign")
	s := e.StartStep(StepRequestSanitize)
	s.Part(Part{Name: "IMAGE", Kind: "image", Format: "jpeg", Action: "stripped"})
	s.Finding(Finding{Rule: "image_metadata", Tensor: "IMAGE", Action: "strip", Count: 2, BytesRemoved: 812})
	s.End("")
	s = e.StartStep(StepRequestSanitize)
	s.Part(Part{Name: "NOTE", Kind: "text", Format: "utf-8", Action: "unchanged"})
	s.End("")
	e.StartStep(StepRequestEncode).End("")
	e.AddTime(PhaseRequest, 3*time.Millisecond)
	e.StartStep(StepResponseDecode).End("")
	s = e.StartStep(StepResponseCheck)
	s.Output(Output{Top1Confidence: .31, Margin: math.NaN(), Entropy: 1.9, Class: "stop"})
	s.Finding(Finding{Rule: "low-confidence", Tensor: "SCORES", Action: "flag"})
	s.End("")
	e.StartStep(StepResponseEncode).End("panic")
	e.AddTime(PhaseResponse, 250*time.Microsecond)
	e.AddTime(PhaseResponse, 250*time.Microsecond)
	clk.Add(40 * time.Millisecond)
	outcome := Outcome{Decision: DecisionFlag, Reason: "low_confidence", Detail: `output "SCORES": row 0 is below the confidence floor`, Status: 200, DecisionID: "d1",
		PolicyRevision: "sha256:4f2a", BaselineID: "sha256:77"}
	e.End(outcome)
	e.End(outcome) // counts once
}

func alarm() DriftAlarm {
	return DriftAlarm{
		Model: "traffic-sign", Version: "1", Group: "outputs", Feature: "confidence",
		BaselineID: "sha256:77", Statistic: 270000, Threshold: 259200,
		Bins:     []string{"below 0.9", "0.9 to 0.99", "above 0.99"},
		Baseline: []float64{.05, .25, .7}, Current: []float64{.4, .35, .25},
		Promise: "mean time between false alarms of at least 30 days at a tolerance of 0.02",
		Recent:  []string{"not a traceparent", envoyTraceparent, clientTraceparent},
	}
}

func TestMetricsPage(t *testing.T) {
	tel, clk, _ := newTest(t, Config{}, nil)
	drive(t, tel, clk)
	golden(t, "metrics.golden", own(scrape(t, tel, "text/plain; version=0.0.4")))
}

// The page holds what is true at the scrape: a model that is no longer configured
// leaves no series behind, a revision replaces the one of before.
func TestMetricsPageFollowsStatus(t *testing.T) {
	tel, clk, _ := newTest(t, Config{}, nil)
	drive(t, tel, clk)
	tel.SetStatus(func() Status { return Status{} })
	tel.ConfigLoaded("sha256:next")
	page := scrape(t, tel, "text/plain")
	for _, gone := range []string{"weir_upstream_ready{", "weir_drift_statistic_ratio{", "sha256:4f2a", "weir_drift_observations_total{"} {
		if strings.Contains(page, gone) {
			t.Errorf("page still has %s", gone)
		}
	}
	for _, there := range []string{`weir_config_revision_info{revision="sha256:next"} 1`, "weir_config_last_reload_successful 1"} {
		if !strings.Contains(page, there) {
			t.Errorf("page has no %s", there)
		}
	}
}

// Exemplars carry the trace ids of sampled parents even when Weir itself exports
// no traces, so that Envoy's can be found.
func TestExemplars(t *testing.T) {
	tel, clk, _ := newTest(t, Config{}, nil)
	drive(t, tel, clk)
	page := scrape(t, tel, "application/openmetrics-text; version=1.0.0")
	for _, series := range []string{
		`weir_requests_total{decision="flag",model="traffic-sign"} 1.0`,
		`weir_process_duration_seconds_bucket{weir_decision="flag",weir_phase="request",le="0.005"} 1`,
		`weir_process_duration_seconds_bucket{weir_decision="flag",weir_phase="response",le="0.0005"} 1`,
	} {
		want := regexp.QuoteMeta(series) + ` # \{[^}]*trace_id="4bf92f3577b34da6a3ce929d0e0e4736"`
		if !regexp.MustCompile(`(?m)^` + want).MatchString(page) {
			t.Errorf("no exemplar at %s in\n%s", series, own(page))
		}
	}
	if line := regexp.MustCompile(`(?m)^weir_requests_total\{decision="error".*$`).FindString(page); line == "" || strings.Contains(line, "trace_id") {
		t.Errorf("an exchange without trace: %q", line)
	}
	if !strings.HasSuffix(page, "# EOF\n") {
		t.Error("page does not end with # EOF")
	}
}

func TestModelsOfClientsAreNoLabels(t *testing.T) {
	tel, _, _ := newTest(t, Config{}, nil)
	count := func(set func(*Exchange)) {
		_, e := tel.StartExchange(t.Context(), ExchangeStart{})
		set(e)
		e.StartStep(StepRequestSanitize).Finding(Finding{Rule: "r", Action: "a"})
		e.OutputRejected("x")
		e.End(Outcome{Decision: DecisionPass})
	}
	count(func(*Exchange) {})
	for i := range 500 {
		count(func(e *Exchange) { e.SetModel("model-"+strconv.Itoa(i), "", "mo*") })
	}
	count(func(e *Exchange) { e.SetModel("m", "1", "bad\xffname") }) // would spoil the page
	page := scrape(t, tel, "text/plain")
	for _, want := range []string{
		`weir_requests_total{decision="pass",model="_unknown"} 1`,
		"weir_requests_total{decision=\"pass\",model=\"bad\uFFFDname\"} 1",
		`weir_requests_total{decision="pass",model="mo*"} 500`,
		`weir_findings_total{action="a",model="mo*",rule="r"} 500`,
		`weir_output_rejections_total{model="mo*",reason="x"} 500`,
	} {
		if !strings.Contains(page, want+"\n") {
			t.Errorf("no %s in\n%s", want, own(page))
		}
	}
	if strings.Contains(page, "model-") {
		t.Error("a name of a client became a label")
	}
}

func TestOverflowSeries(t *testing.T) {
	tel, _, _ := newTest(t, Config{}, nil)
	const beyond = 50
	_, e := tel.StartExchange(t.Context(), ExchangeStart{})
	for i := range maxSeries + beyond {
		e.OutputRejected("reason-" + strconv.Itoa(i))
	}
	page := scrape(t, tel, "text/plain")
	if n := strings.Count(page, "\nweir_output_rejections_total{"); n != maxSeries {
		t.Errorf("%d series, want %d", n, maxSeries)
	}
	// The overflow series is one of maxSeries, so one reason more is in it.
	if want := `weir_output_rejections_total{otel_metric_overflow="true"} ` + strconv.Itoa(beyond+1) + "\n"; !strings.Contains(page, want) {
		t.Errorf("no %q", want)
	}
}

func TestDriftAlarmLog(t *testing.T) {
	tel, _, log := newTest(t, Config{}, nil)
	tel.DriftAlarm(alarm())
	line := log.String()
	for _, want := range []string{
		`"level":"WARN"`, `"msg":"drift alarm"`, `"model":"traffic-sign"`, `"feature":"confidence"`,
		`"baseline_shares":[0.05,0.25,0.7]`, `"current_shares":[0.4,0.35,0.25]`,
		`"promise":"mean time between false alarms of at least 30 days`,
		`"recent_trace_ids":["4bf92f3577b34da6a3ce929d0e0e4736","0af7651916cd43dd8448eb211c80319c"]`,
		`"runbook":"` + DriftRunbook + `"`,
	} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %s", want, line)
		}
	}
	if _, err := os.Stat("../../" + DriftRunbook); err != nil {
		t.Error(err)
	}
}

func TestScrapeAfterShutdown(t *testing.T) {
	tel, err := New(t.Context(), Config{}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	scrape(t, tel, "text/plain")
}

// BenchmarkScrape is a page with ten models of three features.
func BenchmarkScrape(b *testing.B) {
	tel, err := New(b.Context(), Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	status := Status{}
	for i := range 10 {
		d := &DriftStatus{Version: "1", Group: "outputs", BaselineID: "sha256:" + strings.Repeat("7", 64)}
		for _, name := range []string{"confidence", "entropy", "class"} {
			d.Features = append(d.Features, FeatureStatus{Name: name, Bins: make([]int64, 12)})
		}
		status.Models = append(status.Models, ModelStatus{Model: "model-" + strconv.Itoa(i), Watchable: true, Drift: d})
	}
	tel.SetStatus(func() Status { return status })
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	b.ReportAllocs()
	for b.Loop() {
		tel.Handler().ServeHTTP(httptest.NewRecorder(), r)
	}
}

func BenchmarkExchange(b *testing.B) {
	tel, err := New(b.Context(), Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, e := tel.StartExchange(b.Context(), ExchangeStart{Method: "POST", Path: "/v2/models/m/infer"})
		e.SetModel("m", "1", "m")
		e.StartStep(StepRequestDecode).End("")
		e.StartStep(StepRequestSanitize).End("")
		e.StartStep(StepRequestEncode).End("")
		e.AddTime(PhaseRequest, time.Millisecond)
		e.AddTime(PhaseResponse, time.Millisecond)
		e.End(Outcome{Decision: DecisionPass})
	}
}
