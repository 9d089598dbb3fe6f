package envoy

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"net/netip"
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
	GRPC         string // its gRPC endpoint, "127.0.0.1:8001"; "": no routes to it
	OpenAI       string // its OpenAI base, "http://127.0.0.1:9000/openai"; "": no routes to it
	Upload       string // its endpoint for files, "http://127.0.0.1:8080/predictions/{model}"; "": no route to it
	OTLPEndpoint string // "http://127.0.0.1:4317"; "" switches Envoy's tracer off

	MaxBodyBytes      int64         // of a request, as Weir's limit
	MaxResponseBytes  int64         // of a response
	BodyTimeout       time.Duration // for the body of a request to arrive
	PhaseTimeout      time.Duration // Weir's own deadline for one phase
	UpstreamTimeout   time.Duration // for the model server's answer, where that is no stream
	StreamIdleTimeout time.Duration // how long a stream may be silent
	MaxStreams        uint32        // exchanges in flight
	AccessLog         string        // a file, "/dev/stdout" if empty
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
	if _, err := o.ModelServers(); err != nil {
		errs = append(errs, err)
	}
	if o.OTLPEndpoint != "" {
		if _, err := parseURL(o.OTLPEndpoint, false); err != nil {
			errs = append(errs, fmt.Errorf("otlp endpoint: %w", err))
		}
	}
	if o.MaxBodyBytes <= 0 || o.MaxResponseBytes <= 0 || o.bufferLimit() > math.MaxUint32 {
		errs = append(errs, errors.New("body limits must be above zero and below 4 GiB"))
	}
	if o.BodyTimeout <= 0 || o.PhaseTimeout <= 0 || o.UpstreamTimeout <= 0 || o.StreamIdleTimeout <= 0 || o.MaxStreams == 0 {
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
	upstreamWindow      = 1 << 20  // of an answer, in Envoy, while its client does not read
)

func (o Options) bufferLimit() int64 { return max(o.MaxBodyBytes, o.MaxResponseBytes) + bufferSlack }

// messageTimeout is Envoy's timer for one message, of which Weir's own is 70 %.
func (o Options) messageTimeout() time.Duration { return o.PhaseTimeout * 10 / 7 }

// answerTimeout is the time from the end of a request to its answer. Four messages
// may each take a phase; the rest is the model server's.
func (o Options) answerTimeout() time.Duration { return 4*o.messageTimeout() + o.UpstreamTimeout }

// exchangeTimeout is the time of a whole exchange: the body of a request comes after
// Weir has judged its head.
func (o Options) exchangeTimeout() time.Duration {
	return o.messageTimeout() + o.BodyTimeout + o.answerTimeout()
}

// Bootstrap writes the bootstrap as YAML with comments.
func Bootstrap(o Options) ([]byte, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	servers, err := o.ModelServers()
	if err != nil {
		return nil, err
	}
	otlp := Server{}
	if o.OTLPEndpoint != "" {
		if otlp, err = parseURL(o.OTLPEndpoint, false); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	err = bootstrapTemplate.Execute(&out, map[string]any{
		"ListenHost": host(o.Listen), "ListenPort": port(o.Listen),
		"AdminHost": host(o.Admin), "AdminPort": port(o.Admin),
		"Socket":       strconv.Quote(strings.TrimPrefix(o.Socket, "unix://")),
		"ModelServers": servers, "Routes": o.routes(servers),
		"Tracing": o.OTLPEndpoint != "", "OTLP": otlp,
		"BufferBytes": o.bufferLimit(), "MaxStreams": o.MaxStreams,
		"WindowBytes":             min(max(o.bufferLimit(), minWindow), maxWindow),
		"ConnectionBytes":         min(max(o.bufferLimit(), minConnectionWindow), maxWindow),
		"UpstreamWindowBytes":     upstreamWindow,
		"UpstreamConnectionBytes": min(max(int64(o.MaxStreams)*upstreamWindow, minConnectionWindow), maxWindow),
		"MessageTimeout":          seconds(o.messageTimeout()),
		"IdleTimeout":             seconds(o.answerTimeout()),
		"AccessLog":               strconv.Quote(cmp.Or(o.AccessLog, "/dev/stdout")),
	})
	return out.Bytes(), err
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Round(time.Millisecond).Seconds(), 'f', -1, 64) + "s"
}

func host(address string) string { return netip.MustParseAddrPort(address).Addr().String() }
func port(address string) uint16 { return netip.MustParseAddrPort(address).Port() }
