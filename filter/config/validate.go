package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strings"
)

// validator checks what a Config means. Every message is about a path; its place
// is that of the value, or of the section that should hold it.
type validator struct {
	c *Config
	r *report
}

func (v *validator) fail(path, format string, args ...any) {
	v.failHint(path, fmt.Sprintf(format, args...), "")
}

// failHint reports an error, unless it follows from another that is reported.
func (v *validator) failHint(path, message, hint string) {
	known := slices.ContainsFunc(v.r.errors, func(i Issue) bool { return i.Path == path })
	if !known && !v.unread(path) {
		v.r.add(v.c.source.place(path), path, message, hint)
	}
}

// unread reports whether the value at path, or a section around it, could not be read.
func (v *validator) unread(path string) bool {
	for ; path != ""; path = parent(path) {
		if v.r.unread[path] {
			return true
		}
	}
	return v.r.unread[""]
}

func (v *validator) warn(path, format string, args ...any) {
	v.r.warn(v.c.source.place(path), path, fmt.Sprintf(format, args...))
}

// given reports whether the file itself holds the value at path.
func (s *source) given(path string) bool {
	_, ok := s.positions[path]
	return ok
}

// place returns the position of the value at path, or of the nearest section
// around it.
func (s *source) place(path string) position {
	for {
		if p, ok := s.positions[path]; ok || path == "" {
			return p
		}
		path = parent(path)
	}
}

// parent cuts the last step off a path. Inside a quoted name it gives paths that
// do not exist, and ends at the one around it.
func parent(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

func (v *validator) config() {
	c := v.c
	v.addresses()
	v.upstream()
	v.bounds("limits", reflect.ValueOf(c.Limits))
	if c.Limits.MaxBytesInFlight < c.Limits.MaxBodyBytes {
		v.fail("limits.max_bytes_in_flight", "must be at least limits.max_body_bytes (%s)", c.Limits.MaxBodyBytes)
	}
	if c.Limits.MaxJSONDepth < c.Limits.MaxRank+3 { // a message, its list of tensors, a tensor
		v.fail("limits.max_json_depth", "must be at least limits.max_rank + 3 (%d)", c.Limits.MaxRank+3)
	}
	if c.Telemetry.OTLPEndpoint != "" {
		v.url("telemetry.otlp_endpoint", c.Telemetry.OTLPEndpoint)
	}
	if !(c.Telemetry.SampleRatio >= 0 && c.Telemetry.SampleRatio <= 1) {
		v.fail("telemetry.sample_ratio", "must be from 0 to 1")
	}
	if c.Keys.Epoch < 60*second {
		v.fail("keys.epoch", "must be at least 1m")
	}
	v.mode("defaults.mode", c.Defaults.Mode, "the file")
	for i, e := range c.Endpoints {
		if slices.Index(c.Endpoints, e) < i {
			v.fail(fmt.Sprintf("endpoints[%d]", i), "is listed twice")
		}
	}
	v.models()
}

// addresses checks where Weir listens.
func (v *validator) addresses() {
	socket, ok := strings.CutPrefix(v.c.Listen, "unix://")
	switch {
	case !ok || !strings.HasPrefix(socket, "/"):
		v.fail("listen", "must be unix:// and an absolute path, such as unix:///run/weir/extproc.sock")
	case socket != path.Clean(socket) || socket == "/":
		v.fail("listen", "is not a clean path of a file")
	case len(socket) > 107: // sun_path of sockaddr_un(7), less the final NUL
		v.fail("listen", "the path of a socket has at most 107 bytes, got %d", len(socket))
	}
	v.hostPort("public", v.c.Public)
	if host, ok := v.hostPort("control", v.c.Control); ok && !isLoopback(host) {
		v.fail("control", "must be a loopback address such as 127.0.0.1:9465: whoever reaches it can reload and record")
	}
}

// grpc returns the host of the gRPC endpoint; "" for none.
func (v *validator) grpc(address string) string {
	if address == "" {
		return ""
	}
	host, ok := v.hostPort("upstream.grpc", address)
	if ok && (host == "" || strings.HasSuffix(address, ":0")) {
		v.fail("upstream.grpc", "must name a host and a port")
	}
	return host
}

func (v *validator) upstream() {
	u := v.c.Upstream
	web, _ := v.url("upstream.http", u.HTTP)
	rpc := v.grpc(u.GRPC)
	api := ""
	if u.OpenAI != "" {
		api = v.openAI(u.OpenAI)
	}
	files := ""
	if u.Upload != "" {
		files = v.upload(u.Upload)
	}
	for path, host := range map[string]string{"upstream.http": web, "upstream.grpc": rpc, "upstream.openai": api, "upstream.upload": files} {
		if host != "" && !isLoopback(host) {
			v.warn(path, "the model server is not on a loopback address: clients that reach it pass Weir by")
		}
	}
	if u.Dialect == V2JSON && len(v.c.Endpoints) > 0 {
		v.warn("endpoints", "servers with upstream.dialect %s have none of these endpoints in a form that clients can reach", V2JSON)
	}
	if u.Dialect == V2JSON && u.GRPC != "" && v.c.source.given("upstream.grpc") {
		v.warn("upstream.grpc", "gRPC stays closed: it is let through to servers with upstream.dialect %s only", Triton)
	}
	if u.Timeout <= 0 {
		v.fail("upstream.timeout", "must be above 0")
	}
}

// hostPort checks a host:port and returns the host.
func (v *validator) hostPort(path, text string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		v.fail(path, "must be host:port")
		return "", false
	}
	if n, err := parseDigits(port); err != nil || n > 65535 {
		v.fail(path, "the port must be a number from 0 to 65535")
		return "", false
	}
	return host, v.host(path, host)
}

// host checks the form of a host name or IP address; "" means all addresses.
func (v *validator) host(path, host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return true
	}
	if strings.Contains(host, ":") || strings.ContainsAny(host, " /?#@%\\\"'") {
		v.fail(path, "is not a host name or IP address")
		return false
	}
	return true
}

// url checks the URL of an endpoint and returns its host. The message never shows
// the URL, which may hold a password.
func (v *validator) url(path, text string) (host string, ok bool) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		v.fail(path, "must be a URL with a scheme, a host and a port, such as http://127.0.0.1:8000")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		v.fail(path, "must hold a scheme, a host and a port, and nothing else")
	default:
		if port, err := parseDigits(u.Port()); u.Port() != "" && (err != nil || port < 1 || port > 65535) {
			v.fail(path, "the port must be a number from 1 to 65535")
			return "", false
		}
		return u.Hostname(), true
	}
	return "", false
}

// isLoopback reports whether a host can only be reached from this machine.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// bounds checks that the numbers of a section are at least 1 and at most their max tag.
func (v *validator) bounds(section string, value reflect.Value) {
	for _, f := range fieldsOf(value.Type()) {
		n := value.Field(f.index)
		if n.Kind() != reflect.Int64 || f.max == "" {
			continue
		}
		limit := reflect.New(n.Type())
		if s, ok := limit.Interface().(scalar); ok {
			if err := s.set(f.max); err != nil {
				panic("config: internal error: max tag of " + f.name + ": " + err.Error())
			}
		} else if !setNumber(limit.Elem(), f.max) {
			panic("config: internal error: max tag of " + f.name)
		}
		switch {
		case n.Int() < 1:
			v.fail(join(section, f.name), "must be above 0")
		case n.Int() > limit.Elem().Int():
			v.fail(join(section, f.name), "must be at most %s", f.max)
		}
	}
}

// mode warns of rules that do not act, where the file says so.
func (v *validator) mode(path string, mode Mode, what string) {
	if mode != Enforce && v.c.source.given(path) {
		v.warn(path, "mode %s: the rules of %s do not act", mode, what)
	}
}
