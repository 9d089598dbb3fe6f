package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"weir/filter"
	"weir/filter/codec"
	"weir/monitor/decision"
)

// infer runs an exchange through the filter of a daemon as Envoy would, with an
// answer of these class probabilities, and returns its decision id.
func (r *running) infer(path, body string, scores ...float32) string {
	r.t.Helper()
	x := r.filter.Begin(r.t.Context(), filter.Head{Method: "POST", Path: path})
	defer x.End(nil)
	if x.RequestHead(false).Refusal != nil {
		return x.ID()
	}
	if x.RequestBody([]byte(body)).Refusal != nil {
		return x.ID()
	}
	var data []byte
	for _, s := range scores {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(s))
	}
	header := fmt.Sprintf(`{"id":%q,"model_name":%q,"model_version":"1","outputs":[{"name":"SCORES","datatype":"FP32","shape":[%d,2],`+
		`"parameters":{"binary_data_size":%d}}]}`, x.ID(), strings.Split(path, "/")[3], len(scores)/2, len(data))
	headers := codec.Headers{{Name: "inference-header-content-length", Value: strconv.Itoa(len(header))}}
	x.ResponseHead(http.StatusOK, headers, false, false)
	x.ResponseBody(http.StatusOK, headers, append([]byte(header), data...))
	return x.ID()
}

// explains runs `weir explain` against a daemon.
func (r *running) explains(code int, args ...string) (stdout, stderr string) {
	r.t.Helper()
	var out, messages bytes.Buffer
	args = append([]string{"explain", "--control", strings.TrimPrefix(r.control, "http://")}, args...)
	if got := run(r.t.Context(), args, strings.NewReader(""), &out, &messages); got != code {
		r.t.Errorf("weir %v ends with %d, want %d\n%s%s", args, got, code, &out, &messages)
	}
	return out.String(), messages.String()
}

// explained is a daemon with two models: one is enforced, one in shadow mode.
func explained(t *testing.T) (*running, string) {
	server := newModelServer(t)
	server.up.Store(true)
	file := writeConfig(t, server.URL, `models:
  - name: signs
    inputs: {IMAGE: {kind: text, max_bytes: 8}}
    outputs: {SCORES: {kind: probabilities}}
    checks: [{name: unsure, min_confidence: 0.9, action: flag}, {name: floor, min_confidence: 0.6}]
  - {name: faces, mode: shadow, inputs: {IMAGE: {kind: text}}}
`)
	d := start(t, file)
	stop := d.stop
	d.stop = func() {
		stop()
		server.Close()
	}
	d.await("/readyz", http.StatusOK)
	return d, file
}

// asked is an inference of texts.
func asked(texts ...string) string {
	data, _ := json.Marshal(texts)
	return fmt.Sprintf(`{"inputs":[{"name":"IMAGE","shape":[%d,1],"datatype":"BYTES","data":%s}]}`, len(texts), data)
}

// volatile are the parts of an explanation that differ from run to run.
var volatile = []struct {
	form *regexp.Regexp
	text string
}{
	{regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{26}\b`), "ID"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "DIGEST"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "HASH"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`\d+\.\d{3} ms`), "SPAN"},
}

func settled(text string) string {
	for _, v := range volatile {
		text = v.form.ReplaceAllString(text, v.text)
	}
	return text
}

const common = `model          signs, version 1, mode enforce
request        POST /v2/models/signs/infer, infer over kserve_v2_http
configuration  DIGEST, in use
`

const answered = `model server   status 200; body sent HASH
time           TIME, for SPAN; in Weir SPAN on the request, SPAN on the answer
`

const unanswered = `time           TIME, for SPAN; in Weir SPAN on the request, SPAN on the answer
`

func TestExplain(t *testing.T) {
	defer goleak.VerifyNone(t)
	d, _ := explained(t)
	defer d.stop()
	const signs = "/v2/models/signs/infer"
	for name, tc := range map[string]struct{ id, want string }{
		"pass": {d.infer(signs, asked("a"), 1, 0), `decision       ID
verdict        pass, in the phase response_body
` + common + answered},
		"sanitize": {d.infer(signs, asked("a\u200bb"), 1, 0), `decision       ID
verdict        sanitize, in the phase response_body
rule           text on input IMAGE
` + common + answered + `
RULE  ON           ACTION    MODE     REASON  MEASURED  REMOVED
text  input IMAGE  sanitize  enforce  -       -         3 B
`},
		"flag": {d.infer(signs, asked("a", "b"), 1, 0, 0.3, 0.7), `decision       ID
verdict        flag, in the phase response_body
reason         low_confidence: the answer did not pass the output checks
detail         output "SCORES": row 1 is below the confidence floor
rule           unsure on output SCORES: confidence 0.7 < 0.9, row 1
hint           A check of the model found low confidence.
` + common + answered + `
RULE    ON             ACTION  MODE     REASON          MEASURED                     REMOVED
unsure  output SCORES  flag    enforce  low_confidence  confidence 0.7 < 0.9, row 1  -
`},
		"block": {d.infer(signs, asked("a"), 0.55, 0.45), `decision       ID
verdict        block, in the phase response_body
reason         low_confidence: the answer did not pass the output checks
detail         output "SCORES": row 0 is below the confidence floor
rule           floor on output SCORES: confidence 0.55 < 0.6, row 0
hint           A check of the model found low confidence.
` + common + answered + `
RULE    ON             ACTION  MODE     REASON          MEASURED                      REMOVED
unsure  output SCORES  flag    enforce  low_confidence  confidence 0.55 < 0.9, row 0  -
floor   output SCORES  block   enforce  low_confidence  confidence 0.55 < 0.6, row 0  -
`},
		"a limit": {d.infer(signs, asked("a", "123456789")), `decision       ID
verdict        block, in the phase request_body
reason         text_too_long: a text is too long
detail         input "IMAGE": 9 bytes, limit 8
rule           text on input IMAGE: bytes 9 > 8, element 1
hint           limits.max_text_bytes.
` + common + unanswered + `
RULE  ON           ACTION  MODE     REASON         MEASURED                REMOVED
text  input IMAGE  block   enforce  text_too_long  bytes 9 > 8, element 1  -
`},
		"not the model's": {d.infer("/v2/models/nobody/infer", asked("a")), `decision       ID
verdict        block, in the phase request_head
reason         model_unknown: no policy for this model
detail         no policy covers this model
rule           built in, none of the model's
hint           Add it under models: in weir.yaml.
request        POST /v2/models/nobody/infer, infer over kserve_v2_http
configuration  DIGEST, in use
` + unanswered},
		"shadow": {d.infer("/v2/models/faces/infer", asked("a\u202eb"), 1, 0), `decision       ID
verdict        pass, in the phase response_body
reason         text_bidi_override: a text forges the order of its letters
detail         input "IMAGE": the character at byte 4 is turned round by a directional override
shadow         enforcing would have decided block: text on input IMAGE
hint           Directional overrides in left-to-right text.
model          faces, version 1, mode shadow
request        POST /v2/models/faces/infer, infer over kserve_v2_http
configuration  DIGEST, in use
` + answered + `
RULE  ON           ACTION  MODE    REASON              MEASURED  REMOVED
text  input IMAGE  block   shadow  text_bidi_override  -         -
`},
	} {
		if got, _ := d.explains(exitPass, tc.id); settled(got) != tc.want {
			t.Errorf("%s is explained as\n%s\nwant\n%s", name, settled(got), tc.want)
		}
	}
}

// Programs get the record with its exact numbers, and what goes with it.
func TestExplainAsJSON(t *testing.T) {
	defer goleak.VerifyNone(t)
	d, file := explained(t)
	defer d.stop()
	id := d.infer("/v2/models/signs/infer", asked("a"), 0.55, 0.45)
	before := d.reloader.config().Digest()
	text, _ := d.explains(exitPass, strings.ToLower(id), "--output", "json")
	var e explanation
	if err := json.Unmarshal([]byte(text), &e); err != nil || strings.Count(text, "\n") != 1 {
		t.Fatalf("%v: not one line of JSON: %s", err, text)
	}
	if e.ID != id || e.Verdict != decision.Block || e.Config != before || e.ConfigInUse != before || e.Hint == "" || len(e.Findings) != 2 ||
		*e.Findings[1].Measured != (decision.Measured{Of: "confidence", Value: float64(float32(0.55)), Threshold: 0.6}) {
		t.Errorf("explained as %+v", e)
	}

	// A later configuration does not take the place of the one that decided.
	replaceFile(t, file, strings.Replace(read(t, file), "0.9", "0.8", 1))
	if err := d.reloader.reload("test"); err != nil {
		t.Fatal(err)
	}
	after := d.reloader.config().Digest()
	if got, _ := d.explains(exitPass, id); !strings.Contains(got, "configuration  "+before+", replaced; in use is "+after+"\n") {
		t.Errorf("after a reload: %s", got)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestExplainLists(t *testing.T) {
	defer goleak.VerifyNone(t)
	d, _ := explained(t)
	defer d.stop()
	if got, _ := d.explains(exitPass, "--last", "5"); got != "TIME  DECISION  VERDICT  SHADOW  MODEL  REASON\n" {
		t.Errorf("of none: %q", got)
	}
	d.infer("/v2/models/signs/infer", asked("a"), 1, 0)
	d.infer("/v2/models/nobody/infer", "")
	d.infer("/v2/models/faces/infer", asked("a\u202eb"), 1, 0)
	d.infer("/v2/models/signs/infer", asked("a"), 0.55, 0.45)
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--last", "20"}, "block - signs low_confidence|pass block faces text_bidi_override|block - - model_unknown|pass - signs -"},
		{[]string{"--last", "2"}, "block - signs low_confidence|pass block faces text_bidi_override"},
		{[]string{"--last", "20", "--verdict", "block"}, "block - signs low_confidence|block - - model_unknown"},
		{[]string{"--last", "1", "--verdict", "pass"}, "pass block faces text_bidi_override"},
		{[]string{"--last", "1", "--verdict", "flag"}, ""},
	} {
		text, _ := d.explains(exitPass, tc.args...)
		var rows []string
		for line := range strings.Lines(text) {
			if fields := strings.Fields(line); decision.ValidID(fields[1]) {
				rows = append(rows, strings.Join(fields[2:], " "))
			}
		}
		if got := strings.Join(rows, "|"); got != tc.want {
			t.Errorf("%v lists %q, want %q\n%s", tc.args, got, tc.want, text)
		}
		text, _ = d.explains(exitPass, append(tc.args, "--output", "json")...)
		lines := json.NewDecoder(strings.NewReader(text))
		for i := range rows {
			var r decision.Record
			if err := lines.Decode(&r); err != nil || string(r.Verdict) != strings.Fields(rows[i])[0] {
				t.Errorf("%v: line %d is %+v, %v", tc.args, i, r, err)
			}
		}
	}
}

func TestExplainWhatIsNotThere(t *testing.T) {
	defer goleak.VerifyNone(t)
	d, _ := explained(t)
	defer d.stop()
	const unknown = "06H0W2DF2ZC91G55F7QW7HR0V0"
	if _, got := d.explains(exitUndecided, unknown); got != "weir: decision "+unknown+" is not known here: "+
		"the last 10000 that were refused or flagged and the last 1000 that passed are kept, in memory\n" {
		t.Errorf("an unknown decision: %q", got)
	}
	id := d.infer("/v2/models/signs/infer", asked("a"), 1, 0)
	for range decision.KeptAllowed {
		d.decisions.Add(decision.Record{Verdict: decision.Pass})
	}
	if _, got := d.explains(exitUndecided, id); !strings.Contains(got, "not known here") {
		t.Errorf("a decision that is no longer kept: %q", got)
	}
	for path, want := range map[string]int{
		"/-/decisions/" + unknown: http.StatusNotFound, "/-/decisions/short": http.StatusBadRequest, "/-/decisions/": http.StatusNotFound,
		"/-/decisions?last=0": http.StatusBadRequest, "/-/decisions?last=11001": http.StatusBadRequest, "/-/decisions?last=x": http.StatusBadRequest,
		"/-/decisions?verdict=maybe": http.StatusBadRequest, "/-/decisions": http.StatusOK,
	} {
		if got, body, err := fetch(http.MethodGet, d.control+path); err != nil || got != want {
			t.Errorf("GET %s answers %d %q, %v, want %d", path, got, body, err, want)
		}
	}
	for _, path := range []string{"/-/decisions", "/-/decisions/" + unknown} {
		if got, _, err := fetch(http.MethodGet, d.public+path); err != nil || got != http.StatusNotFound {
			t.Errorf("the public address answers GET %s with %d, %v", path, got, err)
		}
	}
}
