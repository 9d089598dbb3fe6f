package upload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

const (
	pngHead = "\x89PNG\r\n\x1a\n"
	b       = "XyZ"
)

var limits = Limits{MaxBodyBytes: 4096, MaxResponseBytes: 72, MaxJSONDepth: 4, MaxParts: 3, MaxNameBytes: 8}

func newCodec(t testing.TB) *Codec {
	t.Helper()
	template, err := ParseTemplate("/predictions/{model}")
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(template, "", limits)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func form(parts ...string) string {
	var body strings.Builder
	for _, p := range parts {
		body.WriteString("--" + b + "\r\n" + p + "\r\n")
	}
	return body.String() + "--" + b + "--\r\n"
}

func field(name, value string) string {
	return `Content-Disposition: form-data; name="` + name + "\"\r\n\r\n" + value
}

var formType = codec.Headers{{Name: "content-type", Value: "multipart/form-data; boundary=" + b}}

// through decodes a request of the model m, whose inputs are data, more and note, and
// encodes it.
func through(c *Codec, headers codec.Headers, body string, files ...string) (*codec.Request, *codec.Message, error) {
	route, _ := c.Route("POST", "/predictions/m")
	if _, err := c.DecodeHead(route, headers); err != nil {
		return nil, nil, err
	}
	request, err := c.DecodeRequest(route, headers, []byte(body))
	if err != nil {
		return nil, nil, err
	}
	signature := Signature("m", files, []string{"note"})
	if err := c.BindRequest(request, signature); err != nil {
		return nil, nil, err
	}
	if err := signature.MatchRequest(request); err != nil {
		return nil, nil, err
	}
	message, err := c.EncodeRequest(request, nil)
	return request, message, err
}

func reasonOf(err error) string {
	var refusal *codec.Refusal
	if errors.As(err, &refusal) {
		return string(refusal.Reason)
	}
	return fmt.Sprint(err)
}

// A body that is no form is the model's file, whatever the client calls it.
func TestFile(t *testing.T) {
	c := newCodec(t)
	for _, media := range []string{"", "image/jpeg", "application/x-www-form-urlencoded", "text/html; charset=utf-7"} {
		headers := codec.Headers{{Name: "content-length", Value: strconv.Itoa(len(pngHead))}}
		if media != "" {
			headers = append(headers, codec.Header{Name: "content-type", Value: media})
		}
		request, message, err := through(c, headers, pngHead, "data")
		if err != nil {
			t.Errorf("%s: %v", media, err)
			continue
		}
		in := request.Inputs[0]
		if in.Name != "data" || in.DataType != tensor.Uint8 || in.Shape[0] != 8 || string(in.Data) != pngHead {
			t.Errorf("%s: %+v", media, in)
		}
		want := codec.Headers{{Name: "content-type", Value: "image/png"}, {Name: "content-length", Value: "8"}}
		if string(message.Body) != pngHead || !slices.Equal(message.Headers, want) || c.Path(request) != "/predictions/m" {
			t.Errorf("%s: %+v", media, message)
		}
	}
	if _, message, err := through(c, nil, "\x00weights", "data"); err != nil || message.Headers[0].Value != "application/octet-stream" {
		t.Errorf("another file: %+v, %v", message, err)
	}
}

// A form is written afresh: nothing of the client's is left but names and values.
func TestForm(t *testing.T) {
	c := newCodec(t)
	value := "two\r\nlines, --" + b + " and \r\n\r\n"
	first := "content-disposition:form-data ; filename=\"../s\u00e9cret.php\"; name=data\r\nContent-Type: text/x-secret\r\nContent-Length: 8\r\nContent-Transfer-Encoding: BINARY\r\n\r\n" + pngHead
	for name, parts := range map[string][]string{
		"as it is":      {first, field("note", value)},
		"another order": {field("note", value), first},
	} {
		request, message, err := through(c, formType, form(parts...), "data")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(request.Inputs) != 2 {
			t.Errorf("%s: %+v", name, request.Inputs)
		}
		media, parameters, err := mime.ParseMediaType(message.Headers[0].Value)
		if err != nil || media != "multipart/form-data" || message.Headers[1].Value != strconv.Itoa(len(message.Body)) {
			t.Errorf("%s: %+v, %v", name, message.Headers, err)
		}
		if bytes.Contains(message.Body, []byte("cret")) || strings.Contains(parameters["boundary"], b) {
			t.Errorf("%s: %q", name, message.Body)
		}
		r := multipart.NewReader(bytes.NewReader(message.Body), parameters["boundary"])
		for _, want := range [][4]string{{"data", "file", "image/png", pngHead}, {"note", "", "", value}} {
			p, err := r.NextRawPart()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			content, err := io.ReadAll(p)
			got := [4]string{p.FormName(), p.FileName(), p.Header.Get("Content-Type"), string(content)}
			if err != nil || got != want {
				t.Errorf("%s: %q, want %q (%v)", name, got, want, err)
			}
		}
		if _, err := r.NextRawPart(); err != io.EOF {
			t.Errorf("%s: another part, %v", name, err)
		}
		// What is canonical reads as it is.
		if _, again, err := through(c, message.Headers, string(message.Body), "data"); err != nil || !bytes.Equal(again.Body, message.Body) {
			t.Errorf("%s: again %v", name, err)
		}
	}
	if _, _, err := through(c, formType, form(field("data", "x"), field("more", "y")), "data", "more"); err != nil {
		t.Errorf("two files: %v", err)
	}
	apache := "Content-Disposition: form-data; name=\"note\"\r\nContent-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\ny"
	if _, m, err := through(c, formType, form(field("data", "x"), apache), "data"); err != nil || bytes.Contains(m.Body, []byte("8bit")) {
		t.Errorf("a text as Apache's HttpClient sends it: %v", err)
	}
	end := strings.TrimSuffix(form(field("data", "x")), "\r\n")
	if _, _, err := through(c, formType, end, "data"); err != nil {
		t.Errorf("no CRLF at the end: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	c := newCodec(t)
	good := form(field("data", "x"))
	header := func(name, value string) codec.Headers { return codec.Headers{{Name: name, Value: value}} }
	media := func(value string) codec.Headers { return header("content-type", value) }
	with := func(line string) string { return form(line + "\r\n" + field("data", "x")) }
	disposition := func(text string) string { return form("Content-Disposition: " + text + "\r\n\r\nx") }
	for name, tc := range map[string]struct {
		headers codec.Headers
		body    string
		want    string
	}{
		"coded":                        {header("content-encoding", "gzip"), "x", "encoding_unsupported"},
		"two types":                    {append(media("image/png"), formType...), good, "header_duplicate"},
		"a length that lies":           {header("content-length", "1"), "xy", "header_invalid"},
		"too large":                    {nil, strings.Repeat("x", 4097), "body_too_large"},
		"another multipart":            {media("multipart/mixed; boundary=" + b), good, "header_invalid"},
		"no boundary":                  {media("multipart/form-data"), good, "header_invalid"},
		"an empty boundary":            {media(`multipart/form-data; boundary=""`), good, "header_invalid"},
		"a boundary with a space":      {media(`multipart/form-data; boundary="a b"`), good, "header_invalid"},
		"two boundaries":               {media("multipart/form-data; boundary=" + b + "; boundary=q"), good, "header_invalid"},
		"a charset":                    {media("multipart/form-data; charset=utf-8; boundary=" + b), good, "header_invalid"},
		"a long boundary":              {media("multipart/form-data; boundary=" + strings.Repeat("b", 71)), good, "header_invalid"},
		"another boundary":             {media("multipart/form-data; boundary=q"), good, "message_malformed"},
		"a preamble":                   {formType, "\r\n" + good, "message_malformed"},
		"an epilogue":                  {formType, good + "x", "message_malformed"},
		"two CRLF at the end":          {formType, good + "\r\n", "message_malformed"},
		"no end":                       {formType, strings.TrimSuffix(good, "--\r\n"), "message_malformed"},
		"cut short":                    {formType, good[:20], "message_malformed"},
		"lines of LF":                  {formType, strings.ReplaceAll(good, "\r\n", "\n"), "message_malformed"},
		"space behind a boundary":      {formType, strings.Replace(good, b+"\r\n", b+" \r\n", 1), "message_malformed"},
		"a longer boundary":            {formType, form(field("data", "x\r\n--"+b+"longer")), "message_malformed"},
		"no parts":                     {formType, form(), "message_malformed"},
		"nothing":                      {formType, "", "message_malformed"},
		"an empty part":                {formType, form(""), "message_malformed"},
		"no headers":                   {formType, form("\r\nx"), "message_malformed"},
		"no name":                      {formType, disposition("form-data"), "name_invalid"},
		"an empty name":                {formType, disposition(`form-data; name=""`), "name_invalid"},
		"another disposition":          {formType, disposition(`attachment; name="data"`), "message_malformed"},
		"two names":                    {formType, disposition(`form-data; name="data"; name="more"`), "message_malformed"},
		"a name in another charset":    {formType, disposition(`form-data; name*=utf-8''data`), "message_malformed"},
		"a backslash":                  {formType, disposition(`form-data; filename="a\"; name="data"`), "message_malformed"},
		"a quote without its end":      {formType, disposition(`form-data; name="data`), "message_malformed"},
		"text behind a quote":          {formType, disposition(`form-data; name="data"x`), "message_malformed"},
		"a name with a bracket":        {formType, disposition(`form-data; name="data[]"`), "name_invalid"},
		"a name with an escape":        {formType, disposition(`form-data; name="d%61ta"`), "name_invalid"},
		"a long name":                  {formType, form(field("dataandso", "x")), "name_invalid"},
		"a control":                    {formType, with("X: a\x00b"), "message_malformed"},
		"a folded line":                {formType, form("Content-Disposition: form-data;\r\n name=\"data\"\r\n\r\nx"), "name_invalid"},
		"two dispositions":             {formType, with(`Content-Disposition: form-data; name="more"`), "message_malformed"},
		"two types of a part":          {formType, with("Content-Type: a/b\r\ncontent-type: c/d"), "message_malformed"},
		"a form within":                {formType, with("Content-Type: multipart/mixed; boundary=q"), "message_malformed"},
		"a part's length that lies":    {formType, with("Content-Length: 2"), "message_malformed"},
		"base64":                       {formType, with("Content-Transfer-Encoding: base64"), "message_malformed"},
		"quoted-printable":             {formType, with("Content-Transfer-Encoding: quoted-printable"), "message_malformed"},
		"an unknown header":            {formType, with("Content-Encoding: gzip"), "message_malformed"},
		"a space before a colon":       {formType, with("Content-Type : a/b"), "message_malformed"},
		"many bytes of headers":        {formType, with("Content-Type: " + strings.Repeat("a", 2048)), "message_malformed"},
		"a name twice":                 {formType, form(field("data", "x"), field("data", "y")), "input_duplicate"},
		"too many parts":               {formType, form(field("a", ""), field("b", ""), field("c", ""), field("d", "")), "inputs_too_many"},
		"a name that nobody declared":  {formType, form(field("data", "x"), field("other", "y")), "signature_mismatch"},
		"a file that is missing":       {formType, form(field("note", "x")), "signature_mismatch"},
		"canonical form is too large ": {formType, form(field("data", strings.Repeat("x", 4000))), "body_too_large"},
	} {
		if _, _, err := through(c, tc.headers, tc.body, "data"); reasonOf(err) != tc.want {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	if _, _, err := through(c, nil, "x", "data", "more"); reasonOf(err) != "signature_mismatch" {
		t.Errorf("one body for two files: %v", err)
	}
}

func TestAnswers(t *testing.T) {
	c := newCodec(t)
	for body, want := range map[string]string{
		` {"c":0.50, "d\u006fg":[ 1e-3 ,null, true , false, "\u00e9\/" ] } `: `{"c":0.50,"dog":[1e-3,null,true,false,"é/"]}`,
		`"cat"`: `"cat"`,
		`{}`:    `{}`,
	} {
		response, err := c.DecodeResponse(&codec.Request{Model: "m"}, nil, []byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		message, err := c.EncodeResponse(nil, response)
		if err != nil || string(message.Body) != want || !response.Final || !response.Anonymous || message.Headers[0].Value != "application/json" {
			t.Errorf("%s: %q, %+v, %v", body, message.Body, response, err)
		}
	}
	for body, want := range map[string]string{
		`{"a":1,"a":2}`: "response_malformed", `[NaN]`: "response_malformed", "": "response_malformed", "cat": "response_malformed",
		`[1] x`: "response_malformed", `[[[[[1]]]]]`: "response_malformed", "\xef\xbb\xbf1": "response_malformed",
		`"` + strings.Repeat("a", 72) + `"`: "response_too_large",
	} {
		if _, err := c.DecodeResponse(&codec.Request{}, nil, []byte(body)); reasonOf(err) != want {
			t.Errorf("%q: %v, want %s", body, err, want)
		}
	}
	for name, value := range map[string]string{"content-encoding": "gzip", "content-length": "3"} {
		if _, err := c.DecodeResponse(&codec.Request{}, codec.Headers{{Name: name, Value: value}}, []byte(`{}`)); reasonOf(err) != "response_malformed" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRoute(t *testing.T) {
	c := newCodec(t)
	codecs := codec.Codecs{codec.Upload: c}
	for _, tc := range []struct {
		method, path string
		operation    codec.Operation
		reason       codec.Reason
	}{
		{"POST", "/predictions/m", codec.Predict, ""},
		{"PUT", "/predictions/m?top=5", codec.Predict, ""},
		{"GET", "/predictions/m", codec.Deny, codec.MethodNotAllowed},
		{"POST", "/predictions/m/1.0", codec.Deny, codec.RouteDenied},
		{"POST", "/predictions/", codec.Deny, codec.PathInvalid},
		{"POST", "/predictions//m", codec.Deny, codec.PathInvalid},
		{"POST", "/predictions/%6d", codec.Deny, codec.PathInvalid},
		{"POST", "/predictions/a:b", codec.Deny, codec.RouteDenied},
		{"POST", "/explanations/m", codec.Deny, codec.RouteDenied},
		{"POST", "/v2/models/m/infer", codec.Infer, ""},
	} {
		route := codecs.Select(tc.method, tc.path)
		if route.Operation != tc.operation || route.Reason != tc.reason {
			t.Errorf("%s %s: %+v", tc.method, tc.path, route)
		}
	}
	if route := (codec.Codecs{}).Select("POST", "/predictions/m"); route.Reason != codec.RouteDenied {
		t.Errorf("without the codec: %+v", route)
	}
}

func TestTemplate(t *testing.T) {
	for path, want := range map[string]string{"/predictions/{model}": `/predictions/[^/]+`, "/a.b/{model}/c": `/a\.b/[^/]+/c`, "/predict": "/predict"} {
		template, err := ParseTemplate(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got, literal := template.Pattern(); got != want || literal == template.Named() {
			t.Errorf("%s: %s, %t", path, got, literal)
		}
	}
	for _, path := range []string{"", "/", "predict", "/predict/", "/a//b", "/.a", "/v1/x", "/v2/models/{model}/infer", "/openai/x", "/{model}",
		"/{model}/x", "/a/{model}x", "/a/{Model}", "/a/{model}/{model}", "/a b", "/a?b", "/inference.GRPCInferenceService/x"} {
		if _, err := ParseTemplate(path); err == nil {
			t.Errorf("%q is taken", path)
		}
	}
}

// FuzzForm holds that what is taken has one meaning: the canonical form reads as the
// same parts, to this reader and to Go's.
func FuzzForm(f *testing.F) {
	f.Add([]byte(form(field("data", "x"), field("note", "y"))), b)
	f.Add([]byte(form("Content-Disposition: form-data; name=data; filename=\"a\"\r\nContent-Type: image/png\r\n\r\n"+pngHead)), b)
	f.Add([]byte("--a\r\n\r\n--a--"), "a")
	f.Add([]byte(form(field("data", "\r\n--XyZ"))), "XyZ")
	c := newCodec(f)
	f.Fuzz(func(t *testing.T, body []byte, boundary string) {
		headers := codec.Headers{{Name: "content-type", Value: "multipart/form-data; boundary=" + boundary}}
		request, message, err := through(c, headers, string(body), "data")
		if err != nil {
			var refusal *codec.Refusal
			if !errors.As(err, &refusal) {
				t.Fatal(err)
			}
			return
		}
		again, twice, err := through(c, message.Headers, string(message.Body), "data")
		if err != nil || !bytes.Equal(twice.Body, message.Body) {
			t.Fatalf("again: %v", err)
		}
		_, parameters, err := mime.ParseMediaType(message.Headers[0].Value)
		if err != nil {
			t.Fatal(err)
		}
		r := multipart.NewReader(bytes.NewReader(message.Body), parameters["boundary"])
		for _, in := range again.Inputs {
			p, err := r.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(p)
			value := in.Data
			if in.DataType == tensor.Bytes {
				value = value[4:]
			}
			if err != nil || p.FormName() != in.Name || !bytes.Equal(content, value) {
				t.Fatalf("Go reads %q = %q, Weir %q = %q (%v)", p.FormName(), content, in.Name, value, err)
			}
		}
		if len(again.Inputs) != len(request.Inputs) {
			t.Fatalf("%d inputs, then %d", len(request.Inputs), len(again.Inputs))
		}
	})
}
