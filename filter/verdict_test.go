package filter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"weir/filter"
	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize"
)

// exchange runs a whole exchange whose answer has these rows of probabilities.
func (r *rig) exchange(body string, rows int, values ...float32) (request, response filter.Answer) {
	r.t.Helper()
	x := r.begin("/v2/models/m/infer")
	defer x.End(nil)
	x.RequestHead(false)
	request = x.RequestBody([]byte(body))
	if request.Message == nil {
		return request, response
	}
	headers, data := answer(r.t, request.Message, rows, values...)
	x.ResponseHead(200, nil, false, false)
	return request, x.ResponseBody(200, headers, data)
}

const clean = `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","data":["ab"]}],"outputs":[{"name":"P"}]}`

func TestVerdictsOnOutputs(t *testing.T) {
	nan := float32(math.NaN())
	for name, tc := range map[string]struct {
		change func(*policy.Model)
		values []float32
		block  filter.Reason
		action string
		reason string
	}{
		"confident":     {values: []float32{0.8, 0.1, 0.1}},
		"at the floor":  {values: []float32{0.5, 0.25, 0.25}},
		"below, flag":   {values: []float32{0.4, 0.3, 0.3}, action: "flag", reason: "low_confidence"},
		"second row":    {values: []float32{0.8, 0.1, 0.1, 0.4, 0.3, 0.3}, action: "flag", reason: "low_confidence"},
		"below, block":  {change: func(m *policy.Model) { m.Checks[0].Action = policy.Block }, values: []float32{0.4, 0.3, 0.3}, block: "low_confidence"},
		"not a number":  {values: []float32{nan, 0.5, 0.5}, block: "output_unreadable"},
		"no sum of one": {values: []float32{0.9, 0.9, 0.9}, block: "output_unreadable"},
		"finite": {change: func(m *policy.Model) { m.Checks = []policy.Check{{Name: "n", Output: "P", Finite: true}} },
			values: []float32{nan, 0.5, 0.5}, block: "output_not_finite"},
		"check in shadow":  {change: func(m *policy.Model) { m.Checks[0].Action, m.Checks[0].Mode = policy.Block, policy.Shadow }, values: []float32{0.4, 0.3, 0.3}},
		"check off":        {change: func(m *policy.Model) { m.Checks[0].Action, m.Checks[0].Mode = policy.Block, policy.Off }, values: []float32{0.4, 0.3, 0.3}},
		"shadow, enforced": {change: func(m *policy.Model) { m.Mode = policy.Shadow; m.Checks[0].Action = policy.Block }, values: []float32{0.4, 0.3, 0.3}, block: "low_confidence"},
		"model off":        {change: func(m *policy.Model) { m.Mode, m.Checks[0].Mode = policy.Off, policy.Off }, values: []float32{0.4, 0.3, 0.3}},
		"off, enforced":    {change: func(m *policy.Model) { m.Mode = policy.Off; m.Checks[0].Action = policy.Block }, values: []float32{0.4, 0.3, 0.3}, block: "low_confidence"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if tc.change != nil {
				tc.change(r.model)
			}
			_, a := r.exchange(clean, len(tc.values)/3, tc.values...)
			if tc.block != "" {
				wantRefusal(t, a, tc.block)
				if bytes.Contains(a.Refusal.ErrorBody(), []byte("0.4")) {
					t.Error("a refusal tells a value")
				}
			} else if a.Message == nil {
				t.Fatalf("answer %+v, want it passed", a)
			}
			action, _ := a.Mark.Get(filter.HeaderAction)
			reason, _ := a.Mark.Get(filter.HeaderReason)
			if tc.block == "" && (action != tc.action || reason != tc.reason) {
				t.Errorf("marked %q %q, want %q %q", action, reason, tc.action, tc.reason)
			}
			want := len(tc.values) / 3
			if r.model.Mode == policy.Off || strings.HasPrefix(string(tc.block), "output_") {
				want = 0
			}
			if len(r.samples.all) != want {
				t.Errorf("%d samples, want %d: blocked answers count", len(r.samples.all), want)
			}
		})
	}
}

func TestShadowSendsCanonicalUnsanitisedValues(t *testing.T) {
	r := newRig(t)
	r.model.Mode = policy.Shadow
	request, response := r.exchange(ask, 1, 0.8, 0.1, 0.1)
	if !bytes.HasSuffix(request.Message.Body, []byte("a\u200bb")) {
		t.Errorf("shadow changed the text: %q", request.Message.Body)
	}
	if request.Facts["shadow"] != "sanitize" || request.Facts["verdict"] != "pass" {
		t.Errorf("facts %v, want what enforce would have done", request.Facts)
	}
	if response.Message == nil || response.Facts["shadow"] != "sanitize" {
		t.Errorf("answer %+v", response)
	}
}

func TestShadowStillParsesAndLimits(t *testing.T) {
	r := newRig(t)
	r.model.Mode = policy.Shadow
	for body, want := range map[string]filter.Reason{
		`{"inputs":[`: "json_malformed",
		strings.Replace(clean, `"TEXT"`, `"UNKNOWN"`, 1): "signature_mismatch",
	} {
		request, _ := r.exchange(body, 1, 0.8, 0.1, 0.1)
		wantRefusal(t, request, want)
	}
	r.model.Inputs["TEXT"] = policy.Input{Kind: policy.Text, Text: sanitize.TextOptions{MaxBytes: 1}}
	request, _ := r.exchange(clean, 1, 0.8, 0.1, 0.1)
	wantRefusal(t, request, "text_too_long")
	delete(r.model.Inputs, "TEXT")
	if request, _ := r.exchange(clean, 1, 0.8, 0.1, 0.1); request.Message == nil || request.Facts["shadow"] != "block" {
		t.Errorf("an undeclared input in shadow mode: %+v, want it passed and recorded", request)
	}
}

func TestUncheckedOutputsNeverLeave(t *testing.T) {
	for name, forge := range map[string]func(h codec.Headers, body []byte) []byte{
		"cut short": func(_ codec.Headers, b []byte) []byte { return b[:len(b)-1] },
		"another request's": func(_ codec.Headers, b []byte) []byte {
			return bytes.Replace(b, []byte(`"id":"0`), []byte(`"id":"1`), 1)
		},
		"another model's":    func(_ codec.Headers, b []byte) []byte { return bytes.Replace(b, []byte(`"m"`), []byte(`"n"`), 1) },
		"output not asked":   func(_ codec.Headers, b []byte) []byte { return bytes.Replace(b, []byte(`"P"`), []byte(`"Q"`), 1) },
		"of another version": func(_ codec.Headers, b []byte) []byte { return bytes.Replace(b, []byte(`"3"`), []byte(`"2"`), 1) },
		"no JSON":            func(_ codec.Headers, b []byte) []byte { return []byte("hello") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			x := r.begin("/v2/models/m/infer")
			defer x.End(nil)
			x.RequestHead(false)
			headers, body := answer(t, x.RequestBody([]byte(clean)).Message, 1, 0.8, 0.1, 0.1)
			x.ResponseHead(200, nil, false, false)
			wantRefusal(t, x.ResponseBody(200, headers, forge(headers, body)), "response_malformed")
		})
	}
}

func TestHiddenOutputsAreCheckedAndNotGiven(t *testing.T) {
	r := newRig(t)
	x := r.begin("/v2/models/m/infer")
	defer x.End(nil)
	x.RequestHead(false)
	body := strings.Replace(clean, `{"name":"P"}`, `{"name":"OTHER"}`, 1)
	message := x.RequestBody([]byte(body)).Message
	h := header(t, message)
	if len(h.Outputs) != 2 {
		t.Errorf("asked for %v, want the checked output, too", h.Outputs)
	}
}

func TestErrorsOfTheModelServer(t *testing.T) {
	for name, tc := range map[string]struct{ body, want string }{
		"text":        {`{"error":"no\u0000 such\u202e \ud83d\ude00 thing"}`, ""},
		"JSON":        {`{"error":"input 'X' is wrong"}`, "input 'X' is wrong"},
		"no JSON":     {"<html>secret</html>", "no reason given"},
		"long":        {`{"error":"` + strings.Repeat("x", 9000) + `"}`, strings.Repeat("x", 512)},
		"with fields": {`{"error":"e","secret":"s"}`, "e"},
	} {
		r := newRig(t)
		x := r.begin("/v2/models/m/infer")
		x.RequestHead(false)
		x.RequestBody([]byte(clean))
		x.ResponseHead(400, nil, false, false)
		a := x.ResponseBody(400, nil, []byte(tc.body))
		x.End(nil)
		var got map[string]string
		if a.Message == nil || json.Unmarshal(a.Message.Body, &got) != nil || len(got) != 1 {
			t.Fatalf("%s: %+v, want an error body alone", name, a)
		}
		if tc.want != "" && got["error"] != tc.want {
			t.Errorf("%s: %q, want %q", name, got["error"], tc.want)
		}
		if strings.ContainsAny(got["error"], "\x00\u202e") {
			t.Errorf("%s: %q holds control characters", name, got["error"])
		}
	}
}

type panicky struct{ codec.Codec }

func (panicky) DecodeRequest(codec.Route, codec.Headers, []byte) (*codec.Request, error) {
	panic("boom")
}

func TestAPanicRefusesOneRequest(t *testing.T) {
	r := newRig(t)
	good := *r.filter.Runtime()
	bad := good
	bad.Codecs = codec.Codecs{codec.KServeHTTP: panicky{good.Codecs[codec.KServeHTTP]}}
	r.filter.Use(&bad)
	for range 5 { // more often than there are slots: a panic gives its slot back
		x := r.begin("/v2/models/m/infer")
		x.RequestHead(false)
		a := x.RequestBody([]byte(clean))
		wantRefusal(t, a, filter.InternalError)
		if strings.Contains(a.Refusal.Message, "boom") {
			t.Error("the client reads the panic")
		}
		x.End(nil)
	}
	r.filter.Use(&good)
	if request, _ := r.exchange(clean, 1, 0.8, 0.1, 0.1); request.Message == nil {
		t.Errorf("after the panics: %+v", request)
	}
}

func TestATransactionKeepsItsRuntime(t *testing.T) {
	r := newRig(t)
	x := r.begin("/v2/models/m/infer")
	defer x.End(nil)
	x.RequestHead(false)
	next := *r.filter.Runtime()
	next.Policy = policy.New(nil)
	r.filter.Use(&next)
	if a := x.RequestBody([]byte(clean)); a.Message == nil {
		t.Errorf("the transaction fell to a later configuration: %+v", a)
	}
	y := r.begin("/v2/models/m/infer")
	defer y.End(nil)
	y.RequestHead(false)
	wantRefusal(t, y.RequestBody([]byte(clean)), "model_unknown")
}

func TestLocalRepliesAreReshaped(t *testing.T) {
	r := newRig(t)
	x := r.begin("/v2/models/m/infer")
	defer x.End(nil)
	x.RequestHead(false)
	wantRefusal(t, x.ResponseHead(413, nil, true, false), "body_too_large")
	z := r.begin("/v2/models/m/infer")
	defer z.End(nil)
	z.RequestHead(false)
	wantRefusal(t, z.ResponseHead(408, nil, true, false), filter.BodyTimeout)
	y := r.begin("/v2/models/m/infer")
	defer y.End(nil)
	y.RequestHead(false)
	y.RequestBody([]byte(clean))
	wantRefusal(t, y.ResponseHead(503, nil, true, false), filter.UpstreamMissing)
	w := r.begin("/v2/models/m/infer")
	defer w.End(nil)
	w.RequestHead(false)
	w.RequestBody([]byte(clean))
	wantRefusal(t, w.ResponseHead(504, nil, true, false), filter.UpstreamTimeout)
}

func TestCancelledExchangeDoesNotWaitForASlot(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	x := r.filter.Begin(ctx, filter.Head{Method: "POST", Path: "/v2/models/m/infer"})
	defer x.End(context.Canceled)
	x.RequestHead(false)
	wantRefusal(t, x.RequestBody([]byte(clean)), filter.Overloaded)
}
