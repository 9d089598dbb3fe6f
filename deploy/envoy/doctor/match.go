package doctor

import (
	"regexp"
	"strings"
)

// answer is whether a route matches a request.
type answer uint8

const (
	no answer = iota
	maybe
	yes
)

// sample is a request that a client may send.
type sample struct {
	path        string // without query
	contentType string
}

func (s sample) header(name string) (value string, known bool) {
	switch name {
	case ":method":
		return "POST", true
	case ":path":
		return s.path, true
	case "content-type":
		return s.contentType, true
	}
	return "", false
}

// matches says whether a RouteMatch takes a request (route_components.proto).
func (s sample) matches(match *node) answer {
	path, fold := s.path, match.get("case_sensitive").isFalse()
	lower := func(text string) string {
		if fold {
			return strings.ToLower(text)
		}
		return text
	}
	path = lower(path)
	result := no
	switch {
	case match.get("prefix") != nil:
		result = sure(strings.HasPrefix(path, lower(match.get("prefix").text)))
	case match.get("path") != nil:
		result = sure(path == lower(match.get("path").text))
	case match.get("path_separated_prefix") != nil:
		prefix := lower(match.get("path_separated_prefix").text)
		result = sure(path == prefix || strings.HasPrefix(path, prefix+"/"))
	case match.get("safe_regex") != nil:
		result = matchesExpression(match.get("safe_regex", "regex").string(), s.path)
	case match.get("connect_matcher") != nil:
	default: // a policy that is not known
		result = maybe
	}
	if match.get("grpc") != nil {
		result = min(result, sure(strings.HasPrefix(s.contentType, "application/grpc")))
	}
	for _, h := range match.get("headers").list() {
		result = min(result, s.matchesHeader(h))
	}
	for _, field := range []string{"query_parameters", "runtime_fraction", "tls_context", "dynamic_metadata", "cookies", "filter_state"} {
		if match.get(field) != nil {
			result = min(result, maybe)
		}
	}
	return result
}

func sure(is bool) answer {
	if is {
		return yes
	}
	return no
}

func matchesExpression(text, value string) answer {
	expression, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		return maybe
	}
	return sure(expression.MatchString(value))
}

// matchesHeader says whether a HeaderMatcher takes a request.
func (s sample) matchesHeader(h *node) (result answer) {
	value, known := s.header(strings.ToLower(h.get("name").string()))
	result = maybe
	text := h
	if inner := h.get("string_match"); inner != nil {
		text = inner
	}
	for _, form := range []string{"exact", "prefix", "suffix", "contains"} {
		at := text.get(form)
		if at == nil {
			at = text.get(form + "_match")
		}
		if at == nil {
			continue
		}
		switch form {
		case "exact":
			result = sure(value == at.text)
		case "prefix":
			result = sure(strings.HasPrefix(value, at.text))
		case "suffix":
			result = sure(strings.HasSuffix(value, at.text))
		case "contains":
			result = sure(strings.Contains(value, at.text))
		}
	}
	if !known || text.get("ignore_case").isTrue() {
		return maybe
	}
	if h.get("invert_match").isTrue() && result != maybe {
		return yes - result
	}
	return result
}
