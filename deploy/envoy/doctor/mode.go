package doctor

// Body modes (processing_mode.proto).
const (
	buffered = "BUFFERED"
	duplex   = "FULL_DUPLEX_STREAMED"
)

// modes are a ProcessingMode with its defaults.
type modes struct {
	requestHeaders, responseHeaders   string
	requestBody, responseBody         string
	requestTrailers, responseTrailers string
}

func (m modes) bodies() (request, response string) { return m.requestBody, m.responseBody }

func readModes(n *node) modes {
	header := func(field, standard string) string {
		if mode := n.get(field).enum("DEFAULT", "SEND", "SKIP"); mode != "DEFAULT" {
			return mode
		}
		return standard
	}
	body := func(field string) string {
		return n.get(field).enum("NONE", "STREAMED", buffered, "BUFFERED_PARTIAL", duplex, "GRPC")
	}
	return modes{
		header("request_header_mode", "SEND"), header("response_header_mode", "SEND"),
		body("request_body_mode"), body("response_body_mode"),
		header("request_trailer_mode", "SKIP"), header("response_trailer_mode", "SKIP"),
	}
}

// modes judges the modes of a filter or of the overrides of a route, which hold
// them at n.
func (j *judge) modes(holder, n *node) {
	m := readModes(n)
	at := holder.orField(n)
	place := func(field string) *node { return at.orField(n.get(field)) }
	for _, h := range []struct{ field, mode, rule string }{
		{"request_header_mode", m.requestHeaders, requestHeadersSkip}, {"response_header_mode", m.responseHeaders, responseHeadersSkip},
		{"request_trailer_mode", m.requestTrailers, trailersSkip}, {"response_trailer_mode", m.responseTrailers, trailersSkip},
	} {
		if h.mode != "SEND" {
			j.find(place(h.field), h.rule, "%s is %s", h.field, h.mode)
		}
	}
	for field, mode := range map[string]string{"request_body_mode": m.requestBody, "response_body_mode": m.responseBody} {
		if rule := bodyRule(mode); rule != "" {
			j.find(place(field), rule, "%s is %s", field, mode)
		}
	}
}

// bodyRule is the rule that a body mode breaks.
func bodyRule(mode string) string {
	switch mode {
	case buffered, duplex:
		return ""
	case "STREAMED":
		return bodyStreamed
	case "BUFFERED_PARTIAL":
		return bodyPartial
	case "GRPC":
		return bodyGRPC
	}
	return bodyNone // also of a mode that is not known
}
