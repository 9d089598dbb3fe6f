package envoy

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"weir/filter/codec"
	"weir/filter/codec/upload"
)

// Server is an endpoint of the model server, and the cluster that leads to it.
type Server struct {
	Name  string // of the cluster
	Host  string
	Port  uint16
	HTTP2 bool
}

// Authority is the host of the requests that go there.
func (s Server) Authority() string { return net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))) }

// ModelServers returns the endpoints that there are, HTTP first. The error names
// those that cannot be read.
func (o Options) ModelServers() ([]Server, error) {
	http, err := parseURL(o.Upstream, false)
	var errs []error
	if err != nil {
		errs = append(errs, fmt.Errorf("upstream: %w", err))
	}
	http.Name = "model-server"
	servers := []Server{http}
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
	if o.Upload != "" {
		files, err := parseURL(o.Upload, true)
		if err == nil {
			_, err = o.uploadMatch()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("upload: %w", err))
		}
		files.Name = "upload"
		servers = append(servers, files)
	}
	return servers, errors.Join(errs...)
}

// uploadTemplate is the path of the endpoint for files.
func (o Options) uploadTemplate() (upload.Template, error) {
	u, err := url.Parse(o.Upload)
	if err != nil {
		return upload.Template{}, err
	}
	return upload.ParseTemplate(u.Path)
}

// uploadMatch is the RouteMatch of the endpoint for files.
func (o Options) uploadMatch() (string, error) {
	template, err := o.uploadTemplate()
	if err != nil {
		return "", err
	}
	pattern, literal := template.Pattern()
	if literal {
		return "{path: " + pattern + "}", nil
	}
	return "{safe_regex: {regex: " + strconv.Quote(pattern) + "}}", nil
}

// UploadPath is the path at which clients send files for a model; "" if there is none.
func (o Options) UploadPath(model string) string {
	template, err := o.uploadTemplate()
	if err != nil {
		return ""
	}
	return template.Path(model)
}

// parseURL reads a URL of the form http://HOST:PORT, with a path if base is true.
func parseURL(text string, base bool) (Server, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" || !base && strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return Server{}, fmt.Errorf("%q is not http://HOST:PORT", text)
	}
	return parseHostPort(u.Host)
}

// parseHostPort reads HOST:PORT.
func parseHostPort(text string) (Server, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || strings.ContainsAny(host, " \"'\\{}\n") {
		return Server{}, fmt.Errorf("%q is not HOST:PORT", text)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return Server{}, fmt.Errorf("%q has no port", text)
	}
	return Server{Host: host, Port: uint16(n)}, nil
}

// The body modes that routes may have.
const (
	buffered = "BUFFERED"
	duplex   = "FULL_DUPLEX_STREAMED"
)

// BodyModes returns the modes that requests of a flow need, without which Weir
// refuses them.
func BodyModes(f codec.Flow) (request, response string) {
	switch f {
	case codec.Bidirectional:
		return duplex, duplex
	case codec.ServerStream:
		return buffered, duplex
	default:
		return buffered, buffered
	}
}

// route is what Envoy does with requests to some paths.
type route struct {
	Match       string // RouteMatch
	Server      Server
	Flow        codec.Flow
	IdleTimeout string
	MaxDuration string // RouteAction.MaxStreamDuration; "": none
}

// Streams reports whether the answer may be a stream.
func (r route) Streams() bool { return r.Flow != codec.Unary }

// RequestBody and ResponseBody are the body modes.
func (r route) RequestBody() string  { mode, _ := BodyModes(r.Flow); return mode }
func (r route) ResponseBody() string { _, mode := BodyModes(r.Flow); return mode }

// routes are the routes to the endpoints that there are, in Envoy's order.
func (o Options) routes(servers []Server) (all []route) {
	stream, answer, whole := seconds(o.StreamIdleTimeout), seconds(o.answerTimeout()), seconds(o.exchangeTimeout())
	for _, s := range servers {
		switch s.Name {
		case "model-server-grpc":
			unary := "{max_stream_duration: " + whole + ", grpc_timeout_header_max: " + whole + "}"
			all = append(all,
				// The client's deadline is Envoy's and the model server's.
				route{"{path: /inference.GRPCInferenceService/ModelStreamInfer}", s, codec.Bidirectional, stream, "{grpc_timeout_header_max: 0s}"},
				route{"{prefix: /inference.GRPCInferenceService/}", s, codec.Unary, answer, unary},
				route{"{prefix: /grpc.health.v1.Health/}", s, codec.Unary, answer, unary})
		case "upload":
			match, err := o.uploadMatch()
			if err != nil { // ModelServers has found it valid
				panic("envoy: internal error: " + err.Error())
			}
			all = append(all, route{match, s, codec.Unary, answer, "{max_stream_duration: " + whole + "}"})
		case "openai":
			all = append(all,
				route{"{prefix: /v1/}", s, codec.ServerStream, stream, ""},
				route{"{prefix: /openai/}", s, codec.ServerStream, stream, ""})
		}
	}
	http := servers[0]
	return append(all,
		route{`{safe_regex: {regex: "/v2/models/[^/]+(/versions/[^/]+)?/generate_stream"}}`, http, codec.ServerStream, stream, ""},
		route{"{prefix: /}", http, codec.Unary, answer, "{max_stream_duration: " + whole + "}"})
}
