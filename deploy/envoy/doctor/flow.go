package doctor

import (
	"time"

	"weir/deploy/envoy"
	"weir/filter/codec"
)

// samples are requests of every flow that clients may send for the endpoints of the
// configuration.
func (j *judge) samples() (all []sample) {
	for _, model := range append([]string{"model"}, j.expect.Models...) {
		for _, version := range []string{"", "/versions/1"} {
			for _, operation := range []string{"/infer", "/generate", "/generate_stream"} {
				all = append(all, sample{"/v2/models/" + model + version + operation, "application/json"})
			}
		}
	}
	if j.expect.GRPC != "" {
		for _, method := range []string{"ModelInfer", "ModelStreamInfer", "ServerLive", "ModelMetadata"} {
			all = append(all, sample{"/inference.GRPCInferenceService/" + method, "application/grpc"})
		}
		all = append(all, sample{"/grpc.health.v1.Health/Check", "application/grpc"})
	}
	if j.expect.OpenAI != "" {
		for _, path := range []string{"/v1/chat/completions", "/v1/completions", "/v1/embeddings"} {
			all = append(all, sample{path, "application/json"}, sample{"/openai" + path, "application/json"})
		}
	}
	if path := j.expect.UploadPath("model"); path != "" {
		all = append(all, sample{path, "image/jpeg"}, sample{path, "multipart/form-data; boundary=b"})
	}
	return all
}

// flows judges the routes that requests of every flow take.
func (j *judge) flows(m *manager) {
	for _, s := range j.samples() {
		flow := codec.Select("POST", s.path).Operation.Flow()
		taken := map[*node]*node{} // by virtual host
		for _, r := range m.routes {
			match := s.matches(r.get("match"))
			if match == no || taken[r.host] != nil && taken[r.host] != r.node {
				continue
			}
			if match == yes {
				taken[r.host] = r.node
			}
			if r.infers() {
				j.flow(m, r, s, flow)
			}
		}
	}
}

// flow judges a route that requests of a flow take.
func (j *judge) flow(m *manager, r *route, s sample, flow codec.Flow) {
	have, at, ok := j.effective(m, r)
	if !ok || bodyRule(have.requestBody) != "" || bodyRule(have.responseBody) != "" {
		return // found elsewhere
	}
	request, response := envoy.BodyModes(flow)
	if have.requestBody != request || have.responseBody != response {
		if !j.mismatched[r.node] { // one request for each route is enough
			j.find(r.orField(at), modeMismatch, "%s needs %s and %s, and has %s and %s", s.path, request, response, have.requestBody, have.responseBody)
		}
		j.mismatched[r.node] = true
		return
	}
	if flow != codec.Unary {
		j.timeouts(m, r, flow)
	}
}

// timeouts judges the timers of a route that streams take.
func (j *judge) timeouts(m *manager, r *route, flow codec.Flow) {
	idle := r.action.get("idle_timeout")
	if idle == nil {
		idle = m.get("stream_idle_timeout")
	}
	if idle != nil && idle.duration(0) == 0 {
		j.find(idle, silence, "it is %s", idle.text)
	}
	const standard = 15 * time.Second // of a route
	if timeout := r.action.get("timeout"); timeout.duration(standard) > 0 && r.action.get("max_stream_duration") == nil {
		j.find(r.action.orField(timeout), streamTimeout, "the time is %s", timeout.duration(standard))
	}
	if at := m.get("request_timeout"); at.duration(0) > 0 && flow == codec.Bidirectional {
		j.find(at, streamTimeout, "the time is %s", at.text)
	}
}
