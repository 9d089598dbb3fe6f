package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// validator checks what a Config means. Every message is about a path; its place
// is that of the value, or of the section that should hold it.
type validator struct {
	c *Config
	r *report
}

func (v *validator) fail(path, format string, args ...any) {
	v.r.add(v.c.source.place(path), path, fmt.Sprintf(format, args...), "")
}

func (v *validator) warn(path, format string, args ...any) {
	v.r.warn(v.c.source.place(path), path, fmt.Sprintf(format, args...))
}

// given reports whether the file itself holds the value.
func (v *validator) given(path string) bool {
	_, ok := v.c.source.positions[path]
	return ok
}

// place returns the position of the value at path, or of the nearest section
// around it.
func (s *source) place(path string) position {
	for {
		if p, ok := s.positions[path]; ok || path == "" {
			return p
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}

func (v *validator) config() {
	c := v.c
	v.addresses()
	v.upstream()
	v.bounds("limits", reflect.ValueOf(c.Limits))
	if c.Limits.MaxBytesInFlight < c.Limits.MaxBodyBytes {
		v.fail("limits.max_bytes_in_flight", "must be at least limits.max_body_bytes (%s)", c.Limits.MaxBodyBytes)
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

func (v *validator) upstream() {
	u := v.c.Upstream
	web, _ := v.url("upstream.http", u.HTTP)
	rpc, ok := v.hostPort("upstream.grpc", u.GRPC)
	if ok && (rpc == "" || strings.HasSuffix(u.GRPC, ":0")) {
		v.fail("upstream.grpc", "must name a host and a port")
	}
	for path, host := range map[string]string{"upstream.http": web, "upstream.grpc": rpc} {
		if host != "" && !isLoopback(host) {
			v.warn(path, "the model server is not on a loopback address: clients that reach it pass Weir by")
		}
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
	if mode != Enforce && v.given(path) {
		v.warn(path, "mode %s: the rules of %s do not act", mode, what)
	}
}

func (v *validator) models() {
	if len(v.c.Models) == 0 && !v.given("models") {
		v.warn("models", "no models: every inference is refused")
	}
	first := map[string]int{}
	for i := range v.c.Models {
		m, path := &v.c.Models[i], fmt.Sprintf("models[%d]", i)
		if j, twice := first[m.Name]; twice && m.Name != "" {
			v.fail(path+".name", "models[%d] has the same name %s", j, quote(m.Name))
		} else {
			first[m.Name] = i
		}
		v.model(m, path)
	}
}

func (v *validator) model(m *Model, at string) {
	v.name(at+".name", m.Name)
	if _, err := path.Match(m.Name, ""); err != nil {
		v.fail(at+".name", "is not a valid glob: a [ or \\ without its end")
	}
	for i, version := range m.Versions {
		v.version(m, i, fmt.Sprintf("%s.versions[%d]", at, i), version)
	}
	v.mode(at+".mode", m.Mode, "the model")
	if len(m.Inputs) == 0 {
		v.fail(at+".inputs", "required: an input that is not declared is refused")
	}
	for _, name := range sorted(m.Inputs) {
		v.name(join(at+".inputs", name), name)
		v.input(m.Inputs[name], join(at+".inputs", name))
	}
	for _, name := range sorted(m.Outputs) {
		v.name(join(at+".outputs", name), name)
		v.output(m.Outputs[name], join(at+".outputs", name))
	}
	for i, name := range m.Parameters {
		v.name(fmt.Sprintf("%s.parameters[%d]", at, i), name)
		if slices.Index(m.Parameters, name) < i {
			v.fail(fmt.Sprintf("%s.parameters[%d]", at, i), "is listed twice")
		}
	}
	v.checks(m, at)
	v.drift(m, at+".drift")
}

// version checks a version: Triton's are folders named by a positive number.
func (v *validator) version(m *Model, i int, path, version string) {
	if n, err := parseDigits(version); err != nil || n < 1 {
		v.fail(path, "a version is a whole number above 0 without leading zeros, got %s", quote(version))
	} else if slices.Index(m.Versions, version) < i {
		v.fail(path, "version %s is listed twice", version)
	}
}

// name checks a name of the model server's.
func (v *validator) name(path, name string) {
	switch {
	case name == "":
		v.fail(path, "required: a name")
	case len(name) > 256:
		v.fail(path, "a name has at most 256 bytes")
	case strings.ContainsAny(name, " \u0085\u00a0\u2028\u2029"):
		v.fail(path, "a name holds no spaces")
	}
}

// optionsOf lists the keys that an input of a kind may have beside kind.
var optionsOf = map[InputKind][]string{
	Image:  {"profile", "formats", "orientation", "max_bytes"},
	Text:   {"max_bytes"},
	Tensor: {"datatype", "shape", "min", "max", "not_finite"},
	Opaque: {},
}

func (v *validator) input(in Input, path string) {
	if in.Kind == "" {
		v.fail(path+".kind", "required: one of %s", strings.Join(in.Kind.names(), ", "))
		return
	}
	for _, f := range fieldsOf(reflect.TypeFor[Input]()) {
		if key := join(path, f.name); f.name != "kind" && v.given(key) && !slices.Contains(optionsOf[in.Kind], f.name) {
			v.fail(key, "does not apply to kind %s", in.Kind)
		}
	}
	switch in.Kind {
	case Image:
		v.image(in, path)
	case Text:
		v.maxBytes(in, path, v.c.Limits.MaxTextBytes, "limits.max_text_bytes")
	case Tensor:
		v.tensor(in, path)
	case Opaque:
		v.warn(path+".kind", "kind opaque: the input reaches the model as it is")
	}
}

func (v *validator) image(in Input, path string) {
	v.maxBytes(in, path, v.c.Limits.MaxImageBytes, "limits.max_image_bytes")
	if in.Profile == Strip && in.Orientation == Apply {
		v.fail(path+".orientation", "profile strip does not touch pixels, so it cannot apply the orientation")
	}
	if in.Profile == Standard && v.c.Keys.SanitizeFile == "" {
		v.warn(path+".profile", "no keys.sanitize_file: the key of this profile is random at each start, and differs between replicas")
	}
	for i, f := range in.Formats {
		if slices.Index(in.Formats, f) < i {
			v.fail(fmt.Sprintf("%s.formats[%d]", path, i), "is listed twice")
		}
	}
}

func (v *validator) maxBytes(in Input, path string, limit Bytes, name string) {
	switch given := v.given(path + ".max_bytes"); {
	case given && in.MaxBytes < 1:
		v.fail(path+".max_bytes", "must be above 0")
	case given && in.MaxBytes > limit:
		v.fail(path+".max_bytes", "must be at most %s (%s)", name, limit)
	}
}

func (v *validator) tensor(in Input, path string) {
	if in.Datatype == "BYTES" {
		v.fail(path+".datatype", "kind tensor is for numbers; BYTES is of kind image, text or opaque")
	}
	if int64(len(in.Shape)) > v.c.Limits.MaxRank {
		v.fail(path+".shape", "has more dimensions than limits.max_rank (%d)", v.c.Limits.MaxRank)
	}
	for i, n := range in.Shape {
		if n < 1 && n != -1 {
			v.fail(fmt.Sprintf("%s.shape[%d]", path, i), "a dimension is above 0, or -1 for any size")
		}
	}
	if in.Min != nil && in.Max != nil && *in.Min > *in.Max {
		v.fail(path+".min", "must be at most max (%s)", strconv.FormatFloat(*in.Max, 'g', -1, 64))
	}
}

func (v *validator) output(out Output, path string) {
	if out.Kind == "" {
		v.fail(path+".kind", "required: one of %s", strings.Join(out.Kind.names(), ", "))
	} else if out.Labels != "" && out.Kind != Probabilities {
		v.fail(path+".labels", "applies to kind probabilities only")
	}
}

func (v *validator) checks(m *Model, at string) {
	first := map[string]int{}
	for i := range m.Checks {
		c, path := &m.Checks[i], fmt.Sprintf("%s.checks[%d]", at, i)
		if strings.Trim(c.Name, nameLetters) != "" || c.Name == "" || len(c.Name) > 63 {
			v.fail(path+".name", "required: 1 to 63 letters, digits, - and _")
		} else if j, twice := first[c.Name]; twice {
			v.fail(path+".name", "checks[%d] has the same name %s", j, quote(c.Name))
		} else {
			first[c.Name] = i
		}
		if v.given(path+".min_confidence") && !(c.MinConfidence > 0 && c.MinConfidence <= 1) {
			v.fail(path+".min_confidence", "must be above 0 and at most 1")
		}
		if !c.Finite && !v.given(path+".min_confidence") {
			v.fail(path, "checks nothing: set min_confidence or finite: true")
		}
		v.watched(m, path+".output", c.Output, c.fits())
		v.mode(path+".mode", c.Mode, "the check")
	}
}

const nameLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// watched checks that a name is that of a declared output of a kind that fits.
func (v *validator) watched(m *Model, path, name string, kinds []OutputKind) {
	out, declared := m.Outputs[name]
	switch {
	case name == "" && !v.given(path):
		v.fail(path, "required: the model does not have exactly one output of kind %s", strings.Join(list(kinds...), " or "))
	case !declared:
		v.r.add(v.c.source.place(path), path, "no output "+quote(name)+" is declared", didYouMean(name, sorted(m.Outputs)))
	case out.Kind != "" && !slices.Contains(kinds, out.Kind):
		v.fail(path, "output %s is of kind %s; needed is %s", quote(name), out.Kind, strings.Join(list(kinds...), " or "))
	}
}

func (v *validator) drift(m *Model, path string) {
	d := &m.Drift
	if d.Baseline != "" || d.Output != "" {
		v.watched(m, path+".output", d.Output, []OutputKind{Probabilities})
	}
	if d.Baseline == "" {
		v.warn(path, "no baseline: drift of the outputs is not detected")
	}
	v.bounds(path, reflect.ValueOf(*d))
	if d.MeanTimeBetweenFalseAlarms <= d.Block {
		v.fail(path+".mean_time_between_false_alarms", "must be longer than block (%s)", d.Block)
	}
	if !(d.Tolerance >= 0 && d.Tolerance < 1) {
		v.fail(path+".tolerance", "must be from 0 to below 1")
	}
}

// sorted lists the keys of a map in order.
func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
