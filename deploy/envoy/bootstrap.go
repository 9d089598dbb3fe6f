// Package envoy writes the Envoy bootstrap that Weir needs: one listener for
// HTTP/1 and h2c, ext_proc over a Unix socket in BUFFERED mode, failing closed,
// with every limit and timeout taken from one configuration so that they agree.
package envoy

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
	"text/template"
	"time"
)

//go:embed bootstrap.yaml.tmpl
var bootstrapText string

var bootstrapTemplate = template.Must(template.New("bootstrap").Parse(bootstrapText))

// Options are what the bootstrap depends on.
type Options struct {
	Listen       string // where clients connect, "0.0.0.0:8080"
	Admin        string // Envoy's admin interface, on loopback
	Socket       string // "unix:///run/weir/extproc.sock"
	Upstream     string // the model server's HTTP base, "http://127.0.0.1:8000"
	OTLPEndpoint string // "http://127.0.0.1:4317"; "" switches Envoy's tracer off

	MaxBodyBytes     int64         // of a request, as Weir's limit
	MaxResponseBytes int64         // of a response
	BodyTimeout      time.Duration // for the body of a request to arrive
	PhaseTimeout     time.Duration // Weir's own deadline for one phase
	UpstreamTimeout  time.Duration // for the model server's answer
	MaxStreams       uint32        // exchanges in flight
	AccessLog        string        // a file, "/dev/stdout" if empty
}

// Validate says what in the options no bootstrap can be made of.
func (o Options) Validate() error {
	var errs []error
	for name, address := range map[string]string{"listen": o.Listen, "admin": o.Admin} {
		if _, err := netip.ParseAddrPort(address); err != nil {
			errs = append(errs, fmt.Errorf("%s: %q is not IP:PORT", name, address))
		}
	}
	if socket, ok := strings.CutPrefix(o.Socket, "unix://"); !ok || !path.IsAbs(socket) {
		errs = append(errs, fmt.Errorf("socket: %q is not unix:///PATH", o.Socket))
	}
	if _, _, err := hostPort(o.Upstream); err != nil {
		errs = append(errs, fmt.Errorf("upstream: %w", err))
	}
	if o.OTLPEndpoint != "" {
		if _, _, err := hostPort(o.OTLPEndpoint); err != nil {
			errs = append(errs, fmt.Errorf("otlp endpoint: %w", err))
		}
	}
	if o.MaxBodyBytes <= 0 || o.MaxResponseBytes <= 0 || o.bufferLimit() > math.MaxUint32 {
		errs = append(errs, errors.New("body limits must be above zero and below 4 GiB"))
	}
	if o.BodyTimeout <= 0 || o.PhaseTimeout <= 0 || o.UpstreamTimeout <= 0 || o.MaxStreams == 0 {
		errs = append(errs, errors.New("timeouts and stream limits must be above zero"))
	}
	return errors.Join(errs...)
}

// bufferSlack is how much more Envoy buffers than Weir takes, so that the larger
// body is refused by Weir, with a reason.
const bufferSlack = 64 << 10

// The flow control windows of HTTP/2 (RFC 9113 §6.9.1), in bytes.
const (
	minWindow           = 1<<16 - 1
	maxWindow           = 1<<31 - 1
	minConnectionWindow = 24 << 20 // Envoy's default
)

func (o Options) bufferLimit() int64 { return max(o.MaxBodyBytes, o.MaxResponseBytes) + bufferSlack }

// Bootstrap writes the bootstrap as YAML with comments.
func Bootstrap(o Options) ([]byte, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.AccessLog == "" {
		o.AccessLog = "/dev/stdout"
	}
	messageTimeout := o.PhaseTimeout * 10 / 7
	upstreamHost, upstreamPort, _ := hostPort(o.Upstream)
	otlpHost, otlpPort, _ := hostPort(o.OTLPEndpoint)
	var out bytes.Buffer
	err := bootstrapTemplate.Execute(&out, map[string]any{
		"ListenHost": host(o.Listen), "ListenPort": port(o.Listen),
		"AdminHost": host(o.Admin), "AdminPort": port(o.Admin),
		"Socket":       strconv.Quote(strings.TrimPrefix(o.Socket, "unix://")),
		"UpstreamHost": upstreamHost, "UpstreamPort": upstreamPort,
		"UpstreamAuthority": strconv.Quote(net.JoinHostPort(upstreamHost, strconv.Itoa(int(upstreamPort)))),
		"Tracing":           o.OTLPEndpoint != "", "OTLPHost": otlpHost, "OTLPPort": otlpPort,
		"BufferBytes": o.bufferLimit(), "MaxStreams": o.MaxStreams,
		"WindowBytes":     min(max(o.bufferLimit(), minWindow), maxWindow),
		"ConnectionBytes": min(max(o.bufferLimit(), minConnectionWindow), maxWindow),
		// The body comes after Weir has judged the head.
		"RequestTimeout": seconds(messageTimeout + o.BodyTimeout),
		"MessageTimeout": seconds(messageTimeout),
		// Four messages may each take a phase; the rest is the model server's.
		"RouteTimeout": seconds(4*messageTimeout + o.UpstreamTimeout),
		"IdleTimeout":  seconds(4*messageTimeout + o.UpstreamTimeout + time.Second),
		"AccessLog":    strconv.Quote(o.AccessLog),
	})
	return out.Bytes(), err
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Round(time.Millisecond).Seconds(), 'f', -1, 64) + "s"
}

func host(address string) string { return netip.MustParseAddrPort(address).Addr().String() }
func port(address string) uint16 { return netip.MustParseAddrPort(address).Port() }

// hostPort splits a base URL of the form http://HOST:PORT.
func hostPort(base string) (string, uint16, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.User != nil {
		return "", 0, fmt.Errorf("%q is not http://HOST:PORT", base)
	}
	h, p, err := net.SplitHostPort(u.Host)
	if err != nil || strings.ContainsAny(h, " \"'{}\n") || h == "" {
		return "", 0, fmt.Errorf("%q is not http://HOST:PORT", base)
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("%q has no port", base)
	}
	return h, uint16(n), nil
}
