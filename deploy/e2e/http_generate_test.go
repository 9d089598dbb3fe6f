//go:build e2e

package e2e

import (
	"bufio"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const (
	generatePath = "/v2/models/mock_llm/generate"
	streamPath   = "/v2/models/mock_llm/versions/1/generate_stream"
)

// generate is about answers that come at once.
func (f *features) generate(t *testing.T) {
	for _, body := range []string{
		`{"text_input":"hello world"}`,
		`{"id":"client-7","text_input":["hello"],"stream":false,"bias":[0.1,-2.5,1e-45]}`,
		`{"text_input":"é\"\\","bias":3,"parameters":{"temperature":0.7,"stream":[true]},"seed":42}`,
	} {
		f.same(t, generatePath, body)
	}
	got := f.last(t)
	if want := map[string]any{"temperature": 0.7, "seed": 42.0, "id": got.ID}; !reflect.DeepEqual(got.Parameters, want) {
		t.Errorf("the model got %+v, want %v", got, want)
	}
	// What the model must not do.
	for text, reason := range map[string]string{"{doubt}": "low_confidence", "{nan}": "output_unreadable", "{bytes}": "response_malformed"} {
		bare, weir := f.both(t, generatePath, `{"text_input":"`+text+`"}`)
		if bare.status != http.StatusOK {
			t.Errorf("without Weir: %v", bare)
		}
		wantReason(t, weir, reason)
	}
	// Several answers are an error under status 200 without Weir.
	bare, weir := f.both(t, generatePath, `{"text_input":"a b","stream":true}`)
	if bare.status != http.StatusOK || !strings.HasPrefix(string(bare.body), `{"error":`) {
		t.Errorf("without Weir: %v", bare)
	}
	wantReason(t, weir, "response_malformed")
	bare, weir = f.both(t, generatePath, `{"text_input":"{error}"}`)
	if bare.status != bad || weir.status != bad || string(bare.body) != string(weir.body) {
		t.Errorf("without Weir: %v\nwith Weir: %v", bare, weir)
	}
	for body, reason := range map[string]string{
		`{"text_input":"a","text_input":"b"}`:                   "json_duplicate_key",
		`{"text_input":"a","parameters":{"text_input":"b"}}`:    "json_duplicate_key",
		`{"text_input":"a","evil":1}`:                           "parameter_not_allowed",
		`{"text_input":"a","parameters":{"evil":"x"}}`:          "parameter_not_allowed",
		`{"text_input":"a","bias":[101]}`:                       "tensor_range",
		`{"text_input":"a","bias":NaN}`:                         "json_malformed",
		`{"text_input":"a","bias":[]}`:                          "shape_invalid",
		`{"text_input":1}`:                                      "input_data_invalid",
		`{"text_input":["a","b"]}`:                              "shape_invalid",
		`{"stream":true}`:                                       "signature_mismatch",
		`{"text_input":"a","triton_enable_empty_final":true}`:   "parameter_invalid",
		`{"text_input":"a","parameters":{"shared_memory_r":1}}`: "shared_memory_denied",
		"{\"text_input\":\"a\"}\x00{}":                          "json_malformed",
	} {
		f.refused(t, reason, generatePath, body)
		f.refused(t, reason, streamPath, body)
	}
	f.refused(t, "header_invalid", generatePath, `{"text_input":"a"}`, "Inference-Header-Content-Length: 18")
	f.refused(t, "signature_mismatch", "/v2/models/mock_llm/infer", `{"inputs":[{"name":"text_input","shape":[1],"datatype":"BYTES","data":["a"]}]}`)
}

// generateStream is about answers that come event by event.
func (f *features) generateStream(t *testing.T) {
	for _, body := range []string{
		`{"text_input":"hello","stream":true}`,
		`{"id":"client-7","text_input":"one two three","stream":true,"bias":[1,2]}`,
		`{"text_input":"one two three"}`,
		`{"text_input":"one {error} three","stream":true}`, // the stream goes on
	} {
		f.same(t, streamPath, body)
	}
	t.Run("event by event", f.eventByEvent)
	t.Run("a blocked event", f.blockedEvent)
	// Nothing has gone to the client when the first event is refused.
	for text, reason := range map[string]string{"{doubt} b": "low_confidence", "{bytes} b": "response_malformed"} {
		wantReason(t, f.post(t, streamPath, `{"text_input":"`+text+`","stream":true}`), reason)
	}
	bare, weir := f.both(t, streamPath, `{"text_input":"{error} b","stream":true}`)
	if want := `{"error":"the model has no word for it"}`; bare.status != bad || weir.status != bad ||
		weir.header.Get("x-weir-reason") != "upstream_error" || string(weir.body) != want {
		t.Errorf("without Weir: %v\nwith Weir: %v", bare, weir)
	}
	// Triton says 200 and nothing.
	wantReason(t, f.post(t, streamPath, `{"text_input":"","stream":true}`), "response_malformed")
}

// eventByEvent holds that the first event comes before the model has made the last.
func (f *features) eventByEvent(t *testing.T) {
	release := filepath.Join(filepath.Dir(f.triton.LogPath), "received.jsonl.go")
	defer os.Remove(release)
	response, err := http.Post("http://"+f.addr+streamPath, "application/json", strings.NewReader(`{"text_input":"one {wait} two","stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || got != "text/event-stream; charset=utf-8" {
		t.Fatalf("status %d, content-type %q", response.StatusCode, got)
	}
	events := bufio.NewReader(response.Body)
	wantEvent(t, events, `"text_output":"one"`)
	if err := os.WriteFile(release, nil, 0o600); err != nil { // the model waits for it
		t.Fatal(err)
	}
	wantEvent(t, events, `"text_output":"two"`)
	if rest, err := events.ReadString(0); rest != "" {
		t.Errorf("after the last event: %q, %v", rest, err)
	}
}

func wantEvent(t *testing.T, events *bufio.Reader, text string) {
	t.Helper()
	line, err := events.ReadString('\n')
	blank, _ := events.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "data: {") || !strings.Contains(line, text) || blank != "\n" {
		t.Fatalf("event %q %q, %v; want %s", line, blank, err, text)
	}
}

// blockedEvent holds that an event which is refused in the midst of a stream ends it
// with the reason, and that nothing of it or after it goes to the client.
func (f *features) blockedEvent(t *testing.T) {
	for text, reason := range map[string]string{"{doubt}": "low_confidence", "{nan}": "output_unreadable", "{bytes}": "response_malformed"} {
		r := f.post(t, streamPath, `{"text_input":"one `+text+` secret","stream":true}`)
		events := strings.SplitAfter(string(r.body), "\n\n")
		if r.status != http.StatusOK || len(events) != 3 || !strings.Contains(events[0], `"text_output":"one"`) ||
			!strings.HasPrefix(events[1], `data: {"error":"weir: `+reason+`: `) || events[2] != "" {
			t.Errorf("%s: %v", text, r)
		}
	}
}
