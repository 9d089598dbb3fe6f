//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"weir/deploy/local"
)

// plainConfig are the rules for the models of the servers without Triton's
// extensions; versions is those of the classifier.
func plainConfig(versions string) string {
	opaque := ""
	for _, name := range strings.Fields("BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 FP16 FP32 FP64 BYTES") {
		opaque += fmt.Sprintf("      %s: {kind: opaque}\n", name)
	}
	return `limits: {max_body_bytes: 4MiB}
models:
  - name: echo
    parameters: [note, content_type]
    inputs:
      IMAGE: {kind: image, encoding: base64}
      TEXT: {kind: text}
` + opaque + `  - name: "class*"
` + versions + `    inputs:
      VALUES: {kind: tensor, not_finite: allow}
    outputs:
      SCORES: {kind: probabilities}
    checks:
      - {name: finite, output: SCORES, finite: true}
      - {name: sure, output: SCORES, min_confidence: 0.6, action: flag}
`
}

// plain is a stack in front of a model server without Triton's extensions.
type plain struct {
	*stack
	name   string
	server *local.V2Server
}

// Envoy and Weir in front of MLServer, and of KServe's Python server.
func TestV2JSON(t *testing.T) {
	for name, start := range map[string]func(context.Context, local.Deps, string) (*local.V2Server, error){
		"mlserver": local.StartMLServer, "kserve": local.StartKServe} {
		t.Run(name, func(t *testing.T) {
			server, err := start(context.Background(), deps, tempDir(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := server.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			})
			versions := ""
			if name == "mlserver" {
				versions = "    versions: [\"1\"]\n"
			}
			s := private(t, stackOptions{upstream: server.HTTP, dialect: "v2-json", config: plainConfig(versions)}).ready(t)
			p := &plain{s, name, server}
			t.Run("every form of a request", p.forms)
			t.Run("equal answers", p.equal)
			t.Run("outputs as asked", p.outputs)
			t.Run("pictures", p.pictures)
			t.Run("checks", p.checks)
			t.Run("health and metadata", p.health)
			t.Run("tricks without Weir", p.tricks)
			t.Run("refusals", p.refusals)
		})
	}
}

// lastReceived is the newest record of the server's models.
func (p *plain) lastReceived(t *testing.T) local.Received {
	t.Helper()
	all, err := p.server.Received()
	if err != nil || len(all) == 0 {
		t.Fatalf("no record: %v", err)
	}
	return all[len(all)-1]
}

// direct sends a request past Weir.
func (p *plain) direct(t *testing.T, method, path, body string, headers ...string) reply {
	t.Helper()
	s := &stack{addr: p.server.HTTP}
	r, err := s.send(client, method, path, strings.NewReader(body), append(headers, "Content-Type: application/json")...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Whatever form a client chooses, the server gets JSON with the same values, under
// Weir's id and without the client's headers, and hidden characters are gone.
func (p *plain) forms(t *testing.T) {
	const text = "pay\u200bpal"
	binary, header := message{ID: "client-7", Inputs: []tensor{{Name: "TEXT", DataType: "BYTES", Shape: []int64{1}, blob: elements(text)}}}.encode()
	length := fmt.Sprint("Inference-Header-Content-Length: ", header)
	tests := map[string]struct {
		body    string
		headers []string
	}{
		"JSON":         {textRequest("client-7", text), nil},
		"binary":       {string(binary), []string{length}},
		"gzip":         {gzipped(textRequest("client-7", text)), []string{"Content-Encoding: gzip"}},
		"gzip, binary": {gzipped(string(binary)), []string{"Content-Encoding: gzip", length}},
		"headers that a server would act on": {textRequest("client-7", text), []string{"Accept-Encoding: gzip, deflate",
			"Ce-Specversion: 1.0", "Ce-Id: 1", "Ce-Source: s", "Ce-Type: t", "Content-Type: application/cloudevents+json", "X-Evil: 1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := p.post(t, echoInfer, test.body, test.headers...)
			if r.header.Get("content-encoding") == "gzip" {
				r = inflated(t, r, "gzip")
			}
			m, err := decode(r)
			if r.status != http.StatusOK || err != nil || m.ID != "client-7" || m.ModelName != "echo" || len(m.Outputs) != 1 ||
				!reflect.DeepEqual(m.Outputs[0].Data, []any{"paypal"}) {
				t.Fatalf("%v, %v", r, err)
			}
			got := p.lastReceived(t)
			want := []local.ReceivedInput{{Name: "TEXT", Datatype: "BYTES", Shape: []int64{1}, Bytes: []int64{6}, SHA256: []string{digest("paypal")}}}
			if got.ID != r.header.Get("x-weir-decision-id") || !reflect.DeepEqual(got.Inputs, want) || len(got.Parameters) != 0 {
				t.Errorf("the model received %+v", got)
			}
			for name, value := range got.Headers {
				// MLServer adds headers of its own, which begin with a capital.
				allowed := []string{"host", "content-length", "content-type", "traceparent", "x-request-id", "x-envoy-expected-rq-timeout-ms", "x-forwarded-proto"}
				if !slices.Contains(allowed, name) && !(p.name == "mlserver" && strings.HasPrefix(name, "Ce-")) || name == "content-type" && value != "application/json" {
					t.Errorf("the server got the header %s: %s", name, value)
				}
			}
		})
	}
}

// answerOf is an answer in a form that does not depend on who wrote it: keys that are
// null or empty count as absent, data is flat, and the id is left out.
func answerOf(t *testing.T, r reply) map[string]any {
	t.Helper()
	var answer map[string]any
	if err := json.Unmarshal(r.body, &answer); err != nil {
		t.Fatalf("%v: %v", r, err)
	}
	delete(answer, "id")
	return plainValue(answer).(map[string]any)
}

func plainValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, one := range v {
			if v[key] = plainValue(one); one == nil || reflect.DeepEqual(one, map[string]any{}) {
				delete(v, key)
			}
			if list, ok := one.([]any); ok && key == "data" {
				v[key] = flat(list)
			}
		}
	case []any:
		for i := range v {
			v[i] = plainValue(v[i])
		}
	}
	return value
}

func flat(list []any) []any {
	all := []any{}
	for _, one := range list {
		if inner, ok := one.([]any); ok {
			all = append(all, flat(inner)...)
		} else {
			all = append(all, one)
		}
	}
	return all
}

const classifierInfer = "/v2/models/classifier/infer"

// values is a request for the classifier.
func values(rows string, more string) string {
	n := strings.Count(rows, ",")/3 + 1
	return fmt.Sprintf(`{"id":"v","inputs":[{"name":"VALUES","shape":[%d,3],"datatype":"FP32","data":[%s]}]%s}`, n, rows, more)
}

// A client sees no difference but in how the same values are written.
func (p *plain) equal(t *testing.T) {
	tensors := map[string]string{
		"BOOL": `"shape":[1,2],"data":[true,false]`, "BYTES": `"shape":[2,1],"data":["a\u0000","é\"\\\n\ud83d\ude00"]`,
		"UINT8": `"shape":[1,2],"data":[0,255]`, "UINT16": `"shape":[1,2],"data":[0,65535]`, "UINT32": `"shape":[1,2],"data":[0,4294967295]`,
		"UINT64": `"shape":[1,2],"data":[0,18446744073709551615]`, "INT8": `"shape":[2,2],"data":[-128,127,0,1]`, "INT16": `"shape":[1,2],"data":[-32768,32767]`,
		"INT32": `"shape":[1,2],"data":[-2147483648,2147483647]`, "FP16": `"shape":[1,3],"data":[0.5,-0.0,65504]`,
		"FP32": `"shape":[1,5],"data":[0.5,-0.0,16777216,3.4028234663852886e38,1.401298464324817e-45]`,
		"FP64": `"shape":[1,5],"data":[0.1,-0.0,1e300,5e-324,123456789.125]`,
	}
	requests := map[string][2]string{
		"classes":             {classifierInfer, values("1,2,3,0.1,0,-1", "")},
		"one output":          {classifierInfer, values("1,2,3", `,"outputs":[{"name":"LABEL"}]`)},
		"both, another order": {classifierInfer, values("1,2,3", `,"outputs":[{"name":"SCORES"},{"name":"LABEL"}]`)},
		"an empty batch":      {echoInfer, `{"id":"e","inputs":[{"name":"FP32","shape":[0,2],"datatype":"FP32","data":[]}]}`},
		"a parameter":         {echoInfer, `{"id":"e","parameters":{"note":"n"},"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","data":["a"]}]}`},
	}
	for name, one := range tensors {
		requests[name] = [2]string{echoInfer, fmt.Sprintf(`{"id":"t","inputs":[{"name":%q,"datatype":%q,%s}]}`, name, name, one)}
	}
	for name, request := range requests {
		t.Run(name, func(t *testing.T) {
			want, have := p.direct(t, "POST", request[0], request[1]), p.post(t, request[0], request[1])
			if p.name == "kserve" && name == "FP16" { // which that server does not take in JSON
				if want.status != http.StatusBadRequest || have.status != want.status || string(have.body) != string(want.body) {
					t.Errorf("%v, without Weir %v", have, want)
				}
				return
			}
			if want.status != http.StatusOK || have.status != http.StatusOK || !reflect.DeepEqual(answerOf(t, want), answerOf(t, have)) {
				t.Errorf("%v\nwithout Weir %v", have, want)
			}
		})
	}
}

// The client gets what it named in the form it named, whatever the model returns.
func (p *plain) outputs(t *testing.T) {
	inputs := `{"inputs":[{"name":"UINT8","shape":[1,3],"datatype":"UINT8","data":[1,2,255]},{"name":"BYTES","shape":[1,2],"datatype":"BYTES","data":["a","é"]}]%s}`
	for asked, want := range map[string][]tensor{
		`,"outputs":[{"name":"ECHO_BYTES","parameters":{"binary_data":true}}]`: {
			{Name: "ECHO_BYTES", DataType: "BYTES", Shape: []int64{1, 2}, Parameters: map[string]any{"binary_data_size": 11.0}, blob: elements("a", "é")}},
		`,"outputs":[{"name":"ECHO_BYTES"},{"name":"ECHO_UINT8"}]`: {
			{Name: "ECHO_BYTES", DataType: "BYTES", Shape: []int64{1, 2}, Data: []any{"a", "é"}},
			{Name: "ECHO_UINT8", DataType: "UINT8", Shape: []int64{1, 3}, Data: []any{1.0, 2.0, 255.0}}},
		`,"parameters":{"binary_data_output":true}`: {
			{Name: "ECHO_UINT8", DataType: "UINT8", Shape: []int64{1, 3}, Parameters: map[string]any{"binary_data_size": 3.0}, blob: []byte{1, 2, 255}},
			{Name: "ECHO_BYTES", DataType: "BYTES", Shape: []int64{1, 2}, Parameters: map[string]any{"binary_data_size": 11.0}, blob: elements("a", "é")}},
	} {
		r := p.post(t, echoInfer, fmt.Sprintf(inputs, asked))
		if m, err := decode(r); err != nil || r.status != http.StatusOK || !reflect.DeepEqual(m.Outputs, want) {
			t.Errorf("%s: %v, %v", asked, r, err)
		}
	}
}

// commented is a PNG with a comment behind its header.
func commented(t *testing.T, text string) string {
	t.Helper()
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	const header = 8 + 25 // signature and IHDR
	data := []byte("tEXtComment\x00" + text)
	comment := binary.BigEndian.AppendUint32(nil, uint32(len(data)-4))
	comment = binary.BigEndian.AppendUint32(append(comment, data...), crc32.ChecksumIEEE(data))
	return file.String()[:header] + string(comment) + file.String()[header:]
}

// A picture in base64 reaches the model as the picture that `weir sanitize` makes.
func (p *plain) pictures(t *testing.T) {
	dir := t.TempDir()
	file := commented(t, "secret-places!") // whose base64 is padded
	if err := os.WriteFile(filepath.Join(dir, "a.png"), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := p.weir.Command(t.Context(), "sanitize", "--out", filepath.Join(dir, "clean"), filepath.Join(dir, "a.png")); err != nil {
		t.Fatal(err)
	}
	clean, err := os.ReadFile(filepath.Join(dir, "clean", "a.png"))
	if err != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString([]byte(file))
	if strings.Contains(string(clean), "secret") || len(clean) >= len(file) {
		t.Fatal("nothing was hidden")
	}
	picture := func(text string) string {
		return fmt.Sprintf(`{"inputs":[{"name":"IMAGE","shape":[1],"datatype":"BYTES","data":[%q]}]}`, text)
	}
	packed, header := message{Inputs: []tensor{{Name: "IMAGE", DataType: "BYTES", Shape: []int64{1}, blob: elements(text)}}}.encode()
	length := func(n int) string { return fmt.Sprint("Inference-Header-Content-Length: ", n) }
	for name, send := range map[string]func() reply{
		"JSON":   func() reply { return p.post(t, echoInfer, picture(text)) },
		"binary": func() reply { return p.post(t, echoInfer, string(packed), length(header)) },
	} {
		r := send()
		m, err := decode(r)
		if err != nil || r.status != http.StatusOK || len(m.Outputs) != 1 || !reflect.DeepEqual(m.Outputs[0].Data, []any{base64.StdEncoding.EncodeToString(clean)}) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
		got := p.lastReceived(t)
		want := []local.ReceivedInput{{Name: "IMAGE", Datatype: "BYTES", Shape: []int64{1}, Bytes: []int64{int64(len(clean))}, SHA256: []string{digest(string(clean))}}}
		if !reflect.DeepEqual(got.Inputs, want) {
			t.Errorf("%s: the model received %+v", name, got)
		}
	}
	packed, header = message{Inputs: []tensor{{Name: "IMAGE", DataType: "BYTES", Shape: []int64{1}, blob: elements(file)}}}.encode()
	p.unreached(t, func() {
		wantRefused(t, p.post(t, echoInfer, string(packed), length(header)), bad, "input_data_invalid")
		for name, other := range map[string]string{"line breaks": text[:76] + "\n" + text[76:], "a space": " " + text, "no padding": strings.TrimRight(text, "="),
			"a data URI": "data:image/png;base64," + text, "URL alphabet": strings.NewReplacer("+", "-", "/", "_").Replace(text) + "-_-_", "text": "hello world"} {
			r := p.post(t, echoInfer, picture(other))
			if wantRefused(t, r, bad, "input_data_invalid"); t.Failed() {
				t.Fatalf("%s: %v", name, r)
			}
		}
		wantRefused(t, p.post(t, echoInfer, picture(base64.StdEncoding.EncodeToString([]byte("%PDF-1.7 no picture")))), bad, "image_format_unknown")
	})
}

// The checks read probabilities as they read Triton's; NaN is null in JSON.
func (p *plain) checks(t *testing.T) {
	for name, test := range map[string]struct {
		rows           string
		status         int
		action, reason string
	}{
		"sure":          {"9,0,0", http.StatusOK, "", ""},
		"unsure":        {"1,1,1", http.StatusOK, "flag", "low_confidence"},
		"one row of it": {"9,0,0,1,1,1", http.StatusOK, "flag", "low_confidence"},
		"NaN":           {"1000,0,0", http.StatusBadGateway, "block", "output_not_finite"},
	} {
		for _, asked := range []string{"", `,"outputs":[{"name":"LABEL"}]`} { // which does not hide the scores from the checks
			r := p.post(t, classifierInfer, values(test.rows, asked))
			if r.status != test.status || r.header.Get("x-weir-action") != test.action || r.header.Get("x-weir-reason") != test.reason {
				t.Errorf("%s, %q: %v", name, asked, r)
			}
			if asked != "" && strings.Contains(string(r.body), "SCORES") {
				t.Errorf("%s: the client got what it did not ask for: %v", name, r)
			}
		}
	}
	if got := p.lastReceived(t); got.Version != map[string]string{"mlserver": "1", "kserve": ""}[p.name] {
		t.Errorf("version %q was called", got.Version)
	}
}

func (p *plain) health(t *testing.T) {
	paths := []string{"/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/echo", "/v2/models/echo/ready", "/v2/models/classifier/ready"}
	if p.name == "mlserver" {
		paths = append(paths, "/v2/models/classifier/versions/1", "/v2/models/classifier/versions/1/ready")
	}
	for _, path := range paths {
		want, have := p.direct(t, "GET", path, ""), p.get(t, path)
		if want.status != http.StatusOK || have.status != want.status || string(have.body) != string(want.body) {
			t.Errorf("%s: %v, without Weir %v", path, have, want)
		}
	}
	// A model that the server does not have keeps Weir from being ready.
	config := strings.Replace(plainConfig(""), `"class*"`, "absent", 1)
	other := private(t, stackOptions{upstream: p.server.HTTP, dialect: "v2-json", config: config})
	eventually(t, "readiness of the model that is there", func() bool { return other.get(t, "/v2/models/echo/ready").status == http.StatusOK })
	wantRefused(t, other.get(t, "/v2/models/absent/ready"), http.StatusServiceUnavailable, "upstream_not_ready")
	wantRefused(t, other.get(t, "/v2/health/ready"), http.StatusServiceUnavailable, "upstream_not_ready")
}
