package telemetry

import (
	"errors"
	"fmt"
	"net"
	"net/url"
)

// defaultOTLPPort is the port of OTLP over gRPC (OpenTelemetry protocol
// specification, "OTLP/gRPC default port").
const defaultOTLPPort = "4317"

// Config says where signals go. The zero value exports no traces. SampleRatio and
// TrustClient can be changed later, with [Telemetry.SetTracing].
type Config struct {
	// OTLPEndpoint is the URL of a trace receiver that speaks OTLP over gRPC:
	// http://host:port without TLS, https://host:port with it; the port is 4317
	// when absent. Empty means no tracing. Headers and certificates are taken
	// from the standard OTEL_EXPORTER_OTLP_* environment variables.
	OTLPEndpoint string
	// SampleRatio is the share, 0 to 1, of traces that begin in Weir and are
	// recorded. Exchanges with a parent follow the parent's sampled flag.
	SampleRatio float64
	// TrustClient makes a traceparent that only the client sent the parent of
	// Weir's span. Otherwise it is a link, so that a client can neither choose
	// trace ids nor decide about sampling. Envoy's own context is always the parent.
	TrustClient bool
	// Version is the version of Weir that signals carry.
	Version string
}

// DefaultConfig returns a Config without tracing that would sample 5 % of the
// traces that begin in Weir.
func DefaultConfig() Config { return Config{SampleRatio: 0.05} }

// Validate reports everything that is wrong with c.
func (c Config) Validate() error {
	_, err := c.endpoint()
	if !(c.SampleRatio >= 0 && c.SampleRatio <= 1) { // NaN is neither
		err = errors.Join(err, fmt.Errorf("sample_ratio: %v is not between 0 and 1", c.SampleRatio))
	}
	return err
}

// endpoint returns the URL of the receiver with its port, "" when tracing is off.
func (c Config) endpoint() (string, error) {
	if c.OTLPEndpoint == "" {
		return "", nil
	}
	u, err := url.Parse(c.OTLPEndpoint)
	switch {
	case err != nil:
		return "", fmt.Errorf("otlp_endpoint: %w", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return "", fmt.Errorf("otlp_endpoint: %q is not of the form http://host:port or https://host:port", u.Redacted())
	case u.User != nil:
		return "", errors.New("otlp_endpoint: must not hold credentials")
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "":
		return "", fmt.Errorf("otlp_endpoint: %q has a path; OTLP over gRPC has none", u)
	}
	port := u.Port()
	if port == "" {
		port = defaultOTLPPort
	}
	return u.Scheme + "://" + net.JoinHostPort(u.Hostname(), port), nil
}
