package doctor

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The limits of Envoy's timer for one message.
const defaultMessageTimeout = 200 * time.Millisecond

// extProc judges the filter that asks Weir.
func (j *judge) extProc(f *filter) {
	c := f.config
	if at := f.get("disabled"); at.isTrue() {
		j.find(at, filterDisabled, "it is true")
	}
	if at := f.get("is_optional"); at.isTrue() {
		j.find(at, filterOptional, "it is true")
	}
	j.failure(c, c.get("processing_mode"))
	j.service(c)
	for _, flag := range []struct{ field, rule string }{
		{"allow_mode_override", modeOverride}, {"observability_mode", observability},
		{"async_mode", asyncMode}, {"disable_immediate_response", noImmediate},
	} {
		if at := c.get(flag.field); at.isTrue() {
			j.find(at, flag.rule, "it is %s", at.text)
		}
	}
	if at := c.get("route_cache_action"); at.enum("DEFAULT", "CLEAR", "RETAIN") == "CLEAR" {
		j.find(at, routeCache, "it is CLEAR")
	}
	for field, rule := range map[string]string{"processing_request_modifier": messageModified, "forward_rules": headersHidden} {
		if at := c.get(field); at != nil {
			j.find(at, rule, "there is one")
		}
	}
	j.timers(c)
	j.modes(c, c.get("processing_mode"))
	j.mutations(c)
	if !contains(c.get("response_attributes"), "response.code_details") {
		j.find(c.orField(c.get("response_attributes")), codeDetails, "it is not among response_attributes")
	}
	receiving := c.get("metadata_options", "receiving_namespaces")
	if !contains(receiving.get("untyped"), "weir") {
		j.find(c.orField(receiving), verdictDropped, "weir is not among them")
	}
}

func contains(list *node, text string) bool {
	return slices.ContainsFunc(list.list(), func(n *node) bool { return n.text == text })
}

// failure judges what happens when Weir fails; at is a filter or the overrides of
// a route.
func (j *judge) failure(at, mode *node) {
	if flag := at.get("failure_mode_allow"); flag.isTrue() {
		j.find(flag, failOpen, "failure_mode_allow is %s", flag.text)
		request, response := readModes(mode).bodies()
		if request == duplex || response == duplex {
			j.find(flag, failOpenDuplex, "beside %s and %s", request, response)
		}
	}
	code := at.get("status_on_error", "code")
	if n, err := strconv.Atoi(code.string()); code != nil && (err == nil && n < 400 || slices.Contains(successes, code.text)) {
		j.find(code, statusOnError, "it is %s", code.text)
	}
}

// successes are the names of envoy.type.v3.StatusCode below 400.
var successes = strings.Fields(`Empty Continue OK Created Accepted NonAuthoritativeInformation NoContent ResetContent
	PartialContent MultiStatus AlreadyReported IMUsed MultipleChoices MovedPermanently Found SeeOther NotModified UseProxy
	TemporaryRedirect PermanentRedirect`)

// service judges whom the filter asks; c is a filter or the overrides of a route.
func (j *judge) service(c *node) {
	if at := c.get("http_service"); at != nil {
		j.find(at, httpService, "there is one")
	}
	service := c.get("grpc_service")
	if service == nil {
		return
	}
	if !j.leadsToWeir(service) {
		j.find(service, otherProcessor, "Weir listens on %s", j.expect.Socket)
	}
	if at := service.get("timeout"); at != nil {
		j.find(at, grpcTimeout, "it is %s", at.text)
	}
	if at := service.get("envoy_grpc", "max_receive_message_length"); at != nil && at.number(0) < j.maxBody() {
		j.find(at, messageLimit, "it is %s, bodies have up to %d bytes", at.text, j.maxBody())
	}
}

// timers judges the timer of messages.
func (j *judge) timers(c *node) {
	at := c.get("message_timeout")
	if d := at.duration(defaultMessageTimeout); d < j.expect.PhaseTimeout {
		j.find(c.orField(at), messageTimeout, "it is %s, Weir takes up to %s", d, j.expect.PhaseTimeout)
	}
	if at := c.get("max_message_timeout"); at.duration(0) > 0 {
		j.find(at, maxMessageTimeout, "it is %s", at.text)
	}
}

// written are headers that Weir sets, and some of those that it removes.
var written = []string{":path", "content-type", "content-length", "content-encoding", "accept-encoding", "te",
	"inference-header-content-length", "grpc-timeout", "grpc-encoding", "grpc-accept-encoding", "grpc-status",
	"grpc-message", "traceparent", "x-request-id", "x-weir-decision-id", "x-weir-action", "x-weir-reason",
	"authorization", "cookie", "user-agent", "x-forwarded-for", "triton-request-id"}

// mutations judges what Weir may change (envoy.config.common.mutation_rules.v3).
func (j *judge) mutations(c *node) {
	rules := c.get("mutation_rules")
	for _, field := range []string{"disallow_all", "disallow_system"} {
		if at := rules.get(field); at.isTrue() {
			j.find(at, mutationForbidden, "%s", field)
		}
	}
	if !rules.get("allow_envoy").isTrue() {
		j.find(c.orField(rules), envoyHeaders, "allow_envoy is not set")
	}
	if !rules.get("disallow_is_error").isTrue() {
		j.find(c.orField(rules), mutationSilent, "disallow_is_error is not set")
	}
	at := rules.get("disallow_expression", "regex")
	if at == nil {
		return
	}
	expression, err := regexp.Compile("^(?:" + at.text + ")$") // of the whole name
	if err != nil {
		j.find(at, mutationForbidden, "it cannot be read: %v", err)
		return
	}
	for _, name := range written {
		if expression.MatchString(name) {
			j.find(at, mutationForbidden, "it forbids %s", name)
			return
		}
	}
}
