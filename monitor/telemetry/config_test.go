package telemetry

import (
	"log/slog"
	"math"
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		endpoint string
		ratio    float64
		want     string // normalised endpoint
		err      string // part of the error
	}{
		{"", 0, "", ""},
		{"http://collector", 1, "http://collector:4317", ""},
		{"https://collector:443/", .5, "https://collector:443", ""},
		{"http://[::1]:4317", 0, "http://[::1]:4317", ""},
		{"collector:4317", 0, "", "not of the form"},
		{"grpc://collector:4317", 0, "", "not of the form"},
		{"http://:4317", 0, "", "not of the form"},
		{"http://user:secret@collector", 0, "", "credentials"},
		{"http://collector/v1/traces", 0, "", "path"},
		{"http://collector:4317?x=1", 0, "", "path"},
		{"http://%zz", 0, "", "otlp_endpoint"},
		{"", 1.5, "", "sample_ratio"},
		{"", -.1, "", "sample_ratio"},
		{"", math.NaN(), "", "sample_ratio"},
	} {
		config := Config{OTLPEndpoint: c.endpoint, SampleRatio: c.ratio}
		err := config.Validate()
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q, %v: %v", c.endpoint, c.ratio, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
		if got, err := config.endpoint(); err == nil && got != c.want {
			t.Errorf("%q became %q", c.endpoint, got)
		}
		if c.err != "" {
			if _, err := New(t.Context(), config, slog.New(slog.DiscardHandler)); err == nil {
				t.Errorf("New took %q, %v", c.endpoint, c.ratio)
			}
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	// Both errors are told at once.
	err := Config{OTLPEndpoint: "x", SampleRatio: 2}.Validate()
	if err == nil || !strings.Contains(err.Error(), "otlp_endpoint") || !strings.Contains(err.Error(), "sample_ratio") {
		t.Error(err)
	}
}
