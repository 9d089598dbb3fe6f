package doctor

import (
	"slices"
	"strconv"
	"strings"
)

// Rules of Triton's command line.
const (
	tritonRoutable     = "triton_routable"
	tritonMetrics      = "triton_metrics"
	tritonPort         = "triton_port"
	tritonReuse        = "triton_reuse_port"
	tritonCloud        = "triton_cloud_endpoint"
	tritonControl      = "triton_model_control"
	tritonSharedMemory = "triton_shared_memory"
	tritonForward      = "triton_header_forward"
	tritonLog          = "triton_log_verbose"
	tritonTrace        = "triton_trace"
	tritonTensors      = "triton_trace_tensors"
	tritonCompression  = "triton_compression"
	tritonCache        = "triton_response_cache"
	tritonInputSize    = "triton_input_size"
	tritonRemote       = "triton_remote_repository"
	tritonReadiness    = "triton_readiness"
	tritonUnknown      = "triton_option_unknown"
)

var tritonRules = []Rule{
	{tritonRoutable, Error, "whoever reaches Triton's port passes Weir by; without an address it is 0.0.0.0", "Set --http-address=127.0.0.1 and --grpc-address=127.0.0.1, or switch the endpoint off."},
	{tritonMetrics, Warning, "metrics of models and traffic are open to whoever reaches the port", "Set --metrics-address=127.0.0.1, or let only the scraper reach it."},
	{tritonPort, Warning, "Weir's configuration names another port than Triton listens on", "Correct `upstream`, or the port."},
	{tritonReuse, Warning, "another process may listen on the same port and take part of the requests", "Remove it."},
	{tritonCloud, Error, "it is one more way to the models, on another port, with routes and headers of its own", "Leave it switched off."},
	{tritonControl, Error, "models come and go while the server runs: what answers is no longer what was verified", "Set --model-control-mode=none."},
	{tritonSharedMemory, Error, "tensors in shared memory are seen by nobody but the client and the server", "Leave --allow-client-shm off."},
	{tritonForward, Warning, "headers become parameters of requests, which models can read", "Remove the pattern."},
	{tritonLog, Warning, "ids, names and parameters of requests are logged", "Remove --log-verbose."},
	{tritonTrace, Warning, "traces of requests are written, and any client that reaches Triton can change what they hold", "Use Weir's traces."},
	{tritonTensors, Error, "the tensors of all requests and answers are written to a file", "Remove the level TENSORS."},
	{tritonCompression, Warning, "answers that Weir has to read are compressed for nothing", "Leave it at none."},
	{tritonCache, Warning, "one client may be given an answer that was made for another, and a change of the model is not seen until it expires", "Remove the cache."},
	{tritonInputSize, Error, "bodies that Weir allows are too large for Triton", "Set --http-max-input-size to limits.max_body_bytes, or more."},
	{tritonRemote, Warning, "models are loaded from storage that may change between a check and the load", "Load from a local copy that was verified."},
	{tritonReadiness, Warning, "the server says it is ready while models are not", "Set --strict-readiness=true."},
	{tritonUnknown, Warning, "the option is not known, so nothing can be said of it", "Check its spelling and the version of Triton."},
}

// Triton examines the command line of a tritonserver: words as a shell reads them,
// on any number of lines, with or without the name of the program. file is the name
// in findings. The error says that the text is not such a line.
func Triton(text, file string, expect Expect) (*Report, error) {
	all, err := words(text)
	if err != nil {
		return nil, err
	}
	found, environment := options(all)
	c := &commandLine{options: found, environment: environment, file: file, expect: expect, report: &Report{}}
	c.endpoints()
	for _, o := range c.options {
		c.option(o)
	}
	c.report.sort()
	return c.report, nil
}

// commandLine is a command line under examination.
type commandLine struct {
	options     []option
	environment []string
	file        string
	expect      Expect
	report      *Report
}

func (c *commandLine) find(o option, rule, what string) {
	c.report.find(rule, c.file, o.line, "--"+o.name, what)
}

// last returns the option that counts of those with a name.
func (c *commandLine) last(name string) (o option, ok bool) {
	for _, each := range c.options {
		if each.name == name {
			o, ok = each, true
		}
	}
	if !ok {
		o.name = name
	}
	return o, ok
}

func isOn(value string) bool {
	return slices.Contains([]string{"true", "1", "on"}, strings.ToLower(value))
}

// off reports whether a switch that is on by default is switched off.
func (c *commandLine) off(name string) bool {
	o, ok := c.last(name)
	return ok && !isOn(o.value)
}

// endpoints judges where Triton listens.
func (c *commandLine) endpoints() {
	servers, _ := c.expect.ModelServers() // the configuration has checked them
	ports := map[string]uint16{"http": servers[0].Port}
	if c.expect.GRPC != "" {
		ports["grpc"] = servers[1].Port
	}
	for protocol, standard := range map[string]int{"http": 8000, "grpc": 8001} {
		if c.off("allow-" + protocol) {
			continue
		}
		address, ok := c.last(protocol + "-address")
		switch {
		case !ok:
			c.find(address, tritonRoutable, "it is not there")
		case !isLoopback(address.value):
			c.find(address, tritonRoutable, "it is "+address.value)
		}
		port, ok := c.last(protocol + "-port")
		if !ok {
			port.value = strconv.Itoa(standard)
		}
		if want, known := ports[protocol]; known && port.value != strconv.Itoa(int(want)) {
			c.find(port, tritonPort, "Triton's is "+port.value+", Weir's "+strconv.Itoa(int(want)))
		}
	}
	c.metrics()
	if slices.Contains(c.environment, "AIP_MODE=PREDICTION") {
		if o, ok := c.last("allow-vertex-ai"); !ok {
			c.find(o, tritonCloud, "AIP_MODE=PREDICTION switches it on")
		}
	}
}

// metrics judges the address of the metrics, by default that of HTTP.
func (c *commandLine) metrics() {
	if c.off("allow-metrics") {
		return
	}
	address, ok := c.last("metrics-address")
	if !ok && !c.off("allow-http") {
		return // found with that of HTTP
	}
	switch {
	case !ok:
		c.find(address, tritonMetrics, "it is not there")
	case !isLoopback(address.value):
		c.find(address, tritonMetrics, "it is "+address.value)
	}
}

// option judges an option by itself.
func (c *commandLine) option(o option) {
	switch o.name {
	case "reuse-http-port", "reuse-grpc-port":
		c.findIf(isOn(o.value), o, tritonReuse)
	case "allow-sagemaker", "allow-vertex-ai":
		c.findIf(isOn(o.value), o, tritonCloud)
	case "model-control-mode":
		c.findIf(o.value != "none", o, tritonControl)
	case "allow-client-shm":
		c.findIf(isOn(o.value), o, tritonSharedMemory)
	case "http-header-forward-pattern", "grpc-header-forward-pattern":
		c.findIf(o.value != "", o, tritonForward)
	case "log-verbose":
		c.findIf(o.value != "0", o, tritonLog)
	case "trace-config", "trace-file", "trace-level":
		tensors := strings.HasSuffix(strings.ToUpper(o.value), "TENSORS")
		c.findIf(tensors, o, tritonTensors)
		c.findIf(!tensors && !strings.HasSuffix(strings.ToUpper(o.value), "OFF"), o, tritonTrace)
	case "grpc-infer-response-compression-level":
		c.findIf(o.value != "none", o, tritonCompression)
	case "cache-config", "response-cache-byte-size":
		c.findIf(o.value != "0", o, tritonCache)
	case "http-max-input-size":
		n, err := strconv.ParseInt(o.value, 10, 64)
		c.findIf(err != nil || n < c.expect.MaxBodyBytes, o, tritonInputSize)
	case "model-repository", "model-store", "backend-directory", "repoagent-directory", "cache-directory":
		c.findIf(strings.Contains(o.value, "://"), o, tritonRemote)
	case "strict-readiness":
		c.findIf(!isOn(o.value), o, tritonReadiness)
	default:
		c.findIf(!slices.Contains(tritonOptions, o.name), o, tritonUnknown)
	}
}

func (c *commandLine) findIf(wrong bool, o option, rule string) {
	if wrong {
		c.find(o, rule, "it is "+o.value)
	}
}
