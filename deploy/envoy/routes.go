package envoy

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// server is an endpoint of the model server, and the cluster that leads to it.
type server struct {
	Name  string
	Host  string
	Port  uint16
	HTTP2 bool
}

// Authority is the host of the requests that go there.
func (s server) Authority() string { return net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))) }

// modelServers are the endpoints that there are, HTTP first.
func (o Options) modelServers() ([]server, error) {
	http, err := parseURL(o.Upstream, false)
	var errs []error
	if err != nil {
		errs = append(errs, fmt.Errorf("upstream: %w", err))
	}
	http.Name = "model-server"
	servers := []server{http}
	if o.GRPC != "" {
		grpc, err := parseHostPort(o.GRPC)
		if err != nil {
			errs = append(errs, fmt.Errorf("grpc: %w", err))
		}
		grpc.Name, grpc.HTTP2 = "model-server-grpc", true
		servers = append(servers, grpc)
	}
	if o.OpenAI != "" {
		openai, err := parseURL(o.OpenAI, true) // Weir writes the base path
		if err != nil {
			errs = append(errs, fmt.Errorf("openai: %w", err))
		}
		openai.Name = "openai"
		servers = append(servers, openai)
	}
	return servers, errors.Join(errs...)
}

// parseURL reads a URL of the form http://HOST:PORT, with a path if base is true.
func parseURL(text string, base bool) (server, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || !base && strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return server{}, fmt.Errorf("%q is not http://HOST:PORT", text)
	}
	return parseHostPort(u.Host)
}

// parseHostPort reads HOST:PORT.
func parseHostPort(text string) (server, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || strings.ContainsAny(host, " \"'\\{}\n") {
		return server{}, fmt.Errorf("%q is not HOST:PORT", text)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return server{}, fmt.Errorf("%q has no port", text)
	}
	return server{Host: host, Port: uint16(n)}, nil
}

// The body modes that routes may have.
const (
	buffered = "BUFFERED"
	duplex   = "FULL_DUPLEX_STREAMED"
)

// route is what Envoy does with requests to some paths.
type route struct {
	Match        string // RouteMatch
	Server       server
	RequestBody  string // body modes
	ResponseBody string
	IdleTimeout  string
	MaxDuration  string // RouteAction.MaxStreamDuration; "": none
}

// Streams reports whether the answer may be a stream.
func (r route) Streams() bool { return r.ResponseBody == duplex }

// routes are the routes to the endpoints that there are, in Envoy's order.
func (o Options) routes(servers []server) (all []route) {
	stream, answer, whole := seconds(o.StreamIdleTimeout), seconds(o.answerTimeout()), seconds(o.exchangeTimeout())
	for _, s := range servers {
		switch s.Name {
		case "model-server-grpc":
			unary := "{max_stream_duration: " + whole + ", grpc_timeout_header_max: " + whole + "}"
			all = append(all,
				// The client's deadline is Envoy's and the model server's.
				route{"{path: /inference.GRPCInferenceService/ModelStreamInfer}", s, duplex, duplex, stream, "{grpc_timeout_header_max: 0s}"},
				route{"{prefix: /inference.GRPCInferenceService/}", s, buffered, buffered, answer, unary},
				route{"{prefix: /grpc.health.v1.Health/}", s, buffered, buffered, answer, unary})
		case "openai":
			all = append(all,
				route{"{prefix: /v1/}", s, buffered, duplex, stream, ""},
				route{"{prefix: /openai/}", s, buffered, duplex, stream, ""})
		}
	}
	http := servers[0]
	return append(all,
		route{`{safe_regex: {regex: "/v2/models/[^/]+(/versions/[^/]+)?/generate_stream"}}`, http, buffered, duplex, stream, ""},
		route{"{prefix: /}", http, buffered, buffered, answer, "{max_stream_duration: " + whole + "}"})
}
