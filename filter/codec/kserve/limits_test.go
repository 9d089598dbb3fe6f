package kserve

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

func TestLimitsValidate(t *testing.T) {
	if err := DefaultLimits().Validate(); err != nil {
		t.Error(err)
	}
	if _, err := NewHTTP(Limits{}); err == nil {
		t.Error("zero limits are valid")
	}
	for i := range reflect.TypeFor[Limits]().NumField() {
		for _, value := range []int64{0, -1, 1 << 31} {
			limits := DefaultLimits()
			reflect.ValueOf(&limits).Elem().Field(i).SetInt(value)
			if limits.Validate() == nil {
				t.Errorf("%s of %d is valid", reflect.TypeFor[Limits]().Field(i).Name, value)
			}
		}
	}
	limits := DefaultLimits()
	limits.MaxJSONDepth = limits.MaxRank
	if limits.Validate() == nil {
		t.Error("a tensor of the highest rank is deeper than the JSON may be")
	}
}

// list joins n copies of a fmt pattern that takes the index.
func list(n int, pattern string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(pattern, i)
	}
	return strings.Join(items, ",")
}

// TestLimits sends each limit and one more than it.
func TestLimits(t *testing.T) {
	const input = `{"name":"X","shape":[1],"datatype":"UINT8","data":[1]}`
	limits := Limits{MaxBodyBytes: 2000, MaxResponseBytes: 1000, MaxInflateRatio: 10, MaxJSONHeaderBytes: 150, MaxJSONDepth: 6,
		MaxInputs: 3, MaxOutputs: 3, MaxParameters: 3, MaxRank: 3, MaxElements: 5, MaxBytesElements: 4, MaxNameBytes: 8}
	c, err := NewHTTP(limits)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []struct {
		name   string
		limit  int
		reason codec.Reason
		body   func(n int) string // JSON of size n in the limited respect
		binary bool               // one byte of UINT8 follows
	}{
		{"body bytes", 2000, codec.BodyTooLarge, func(n int) string {
			s := `{"inputs":[` + input + `]}`
			return s + strings.Repeat(" ", n-len(s))
		}, false},
		{"JSON header bytes", 150, codec.JSONTooLarge, func(n int) string {
			s := `{"inputs":[{"name":"X","shape":[1],"datatype":"UINT8","parameters":{"binary_data_size":1}}]}`
			return s + strings.Repeat(" ", n-len(s))
		}, true},
		{"depth", 6, codec.JSONTooDeep, func(n int) string {
			return `{"inputs":[{"data":` + strings.Repeat("[", n-3) + "1" + strings.Repeat("]", n-3) + `,"name":"X","shape":[1,1,1],"datatype":"UINT8"}]}`
		}, false},
		{"inputs", 3, codec.InputsTooMany, func(n int) string {
			return `{"inputs":[` + list(n, `{"name":"X%d","shape":[1],"datatype":"UINT8","data":[1]}`) + `]}`
		}, false},
		{"outputs", 3, codec.OutputsTooMany, func(n int) string {
			return `{"inputs":[` + input + `],"outputs":[` + list(n, `{"name":"Y%d"}`) + `]}`
		}, false},
		{"parameters", 3, codec.ParameterInvalid, func(n int) string {
			return `{"inputs":[` + input + `],"parameters":{` + list(n, `"p%d":1`) + `}}`
		}, false},
		{"rank", 3, codec.ShapeInvalid, func(n int) string {
			return `{"inputs":[{"name":"X","shape":[` + strings.Repeat("1,", n-1) + `1],"datatype":"UINT8","data":[1]}]}`
		}, false},
		{"elements", 5, codec.ShapeInvalid, func(n int) string {
			return fmt.Sprintf(`{"inputs":[{"name":"X","shape":[%d],"datatype":"UINT8","data":[%s]}]}`, n, list(n, "%d"))
		}, false},
		{"BYTES elements", 4, codec.ShapeInvalid, func(n int) string {
			return fmt.Sprintf(`{"inputs":[{"name":"X","shape":[%d],"datatype":"BYTES","data":[%s]}]}`, n, list(n, `"%d"`))
		}, false},
		{"name bytes", 8, codec.NameInvalid, func(n int) string {
			return `{"inputs":[{"name":"` + strings.Repeat("n", n) + `","shape":[1],"datatype":"UINT8","data":[1]}]}`
		}, false},
		{"id bytes", 8, codec.NameInvalid, func(n int) string {
			return `{"inputs":[` + input + `],"id":"` + strings.Repeat("n", n) + `"}`
		}, false},
	} {
		for over, want := range map[int]string{0: "ok", 1: string(l.reason)} {
			json := l.body(l.limit + over)
			headers := codec.Headers{}
			body := json
			if l.binary {
				headers = codec.Headers{{Name: headerLengthName, Value: strconv.Itoa(len(json))}}
				body += "\x01"
			}
			_, err := c.DecodeRequest(inferRoute, headers, []byte(body))
			if got := reasonOf(t, err); got != want {
				t.Errorf("%s, %d over the limit: %v, want %s", l.name, over, err, want)
			}
		}
	}
}

func gzipped(t testing.TB, plain []byte) []byte {
	t.Helper()
	body, err := deflate(codec.Gzip, plain)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestInflate is row 18 of parser differentials: what Triton's inflate forgives.
func TestInflate(t *testing.T) {
	plain := []byte(`{"inputs":[{"name":"X","shape":[1],"datatype":"UINT8","data":[1]}]}`)
	gz := gzipped(t, plain)
	zl, err := deflate(codec.Deflate, plain)
	if err != nil {
		t.Fatal(err)
	}
	raw := zl[2 : len(zl)-4]
	flipped := bytes.Clone(gz)
	flipped[len(flipped)-8] ^= 1 // the CRC
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, c := range []struct {
		about, coding string
		body          []byte
		expect        string
	}{
		{"gzip", "gzip", gz, "ok"},
		{"deflate", "deflate", zl, "ok"},
		{"identity", "identity", plain, "ok"},
		{"two members", "gzip", join(gz, gz), "encoding_invalid"},
		{"an evil second member", "gzip", join(gzipped(t, []byte("{")), gz), "encoding_invalid"},
		{"bytes after gzip", "gzip", join(gz, []byte{0}), "encoding_invalid"},
		{"bytes after deflate", "deflate", join(zl, []byte{0}), "encoding_invalid"},
		{"bad CRC", "gzip", flipped, "encoding_invalid"},
		{"cut in the checksum", "gzip", gz[:len(gz)-1], "encoding_invalid"},
		{"cut in the data", "gzip", gz[:len(gz)/2], "encoding_invalid"},
		{"cut deflate", "deflate", zl[:len(zl)-1], "encoding_invalid"},
		{"plain as gzip", "gzip", plain, "encoding_invalid"},
		{"plain as deflate", "deflate", plain, "encoding_invalid"},
		{"raw deflate", "deflate", raw, "encoding_invalid"},
		{"gzip called deflate", "deflate", gz, "encoding_invalid"},
		{"deflate called gzip", "gzip", zl, "encoding_invalid"},
		{"gzip called identity", "identity", gz, "json_malformed"},
		{"gzip twice", "gzip", gzipped(t, gz), "json_malformed"},
		{"nothing", "gzip", nil, "encoding_invalid"},
		{"gzip of nothing", "gzip", gzipped(t, nil), "body_missing"},
	} {
		_, err := newCodec(t).DecodeRequest(inferRoute, codec.Headers{{Name: "content-encoding", Value: c.coding}}, c.body)
		if got := reasonOf(t, err); got != c.expect {
			t.Errorf("%s: %v, want %s", c.about, err, c.expect)
		}
	}
}

// TestInflateBomb holds that a bomb costs what the limits say, not what it holds.
func TestInflateBomb(t *testing.T) {
	var bomb bytes.Buffer
	w, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 64 {
		w.Write(zeros)
	}
	w.Close()
	limits := DefaultLimits()
	for about, change := range map[string]func(){
		"ratio": func() { limits.MaxInflateRatio = 20 },
		"size":  func() { limits.MaxBodyBytes = 8 << 20 },
	} {
		limits = DefaultLimits()
		change()
		c, err := NewHTTP(limits)
		if err != nil {
			t.Fatal(err)
		}
		used := allocated(func() {
			_, err = c.DecodeRequest(inferRoute, codec.Headers{{Name: "content-encoding", Value: "gzip"}}, bomb.Bytes())
		})
		if got := reasonOf(t, err); got != "body_too_large" {
			t.Errorf("%s: %v", about, err)
		}
		if used > 64<<20 {
			t.Errorf("%s: %d bytes allocated", about, used)
		}
	}
}

// allocated is the number of bytes that f takes from the heap.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestAllocationIsBounded sends small bodies that announce much.
func TestAllocationIsBounded(t *testing.T) {
	c := newCodec(t)
	for about, body := range map[string]string{
		"shape":       `{"inputs":[{"name":"X","shape":[67108864],"datatype":"FP64","data":[1]}]}`,
		"BYTES shape": `{"inputs":[{"name":"X","shape":[65536],"datatype":"BYTES","data":["a"]}]}`,
		"nested":      `{"inputs":[{"name":"X","shape":[8192,8192],"datatype":"UINT64","data":[[1]]}]}`,
		"binary size": `{"inputs":[{"name":"X","shape":[67108864],"datatype":"UINT8","parameters":{"binary_data_size":67108864}}]}`,
		"many inputs": `{"inputs":[` + strings.Repeat(`{"name":"X","shape":[67108864],"datatype":"FP64","data":[`, 60),
	} {
		var err error
		used := allocated(func() { _, err = c.DecodeRequest(inferRoute, nil, []byte(body)) })
		if err == nil {
			t.Errorf("%s: accepted", about)
		}
		if used > 64<<10 {
			t.Errorf("%s: %d bytes allocated for %d", about, used, len(body))
		}
	}
}

// TestBinaryFormIsBounded sends JSON numbers that are four times as large in
// binary form, over the limit together only, and encodes as much.
func TestBinaryFormIsBounded(t *testing.T) {
	limits := DefaultLimits()
	limits.MaxBodyBytes = 1 << 20
	c, err := NewHTTP(limits)
	if err != nil {
		t.Fatal(err)
	}
	numbers := "[" + strings.Repeat("0,", 49999) + "0]"
	for n, want := range map[int]string{2: "ok", 3: "body_too_large"} {
		for _, pattern := range []string{`{"name":"X%d","shape":[50000],"datatype":"FP64","data":` + numbers + `}`,
			`{"name":"X%d","data":` + numbers + `,"shape":[50000],"datatype":"FP64"}`} {
			_, err := c.DecodeRequest(inferRoute, nil, []byte(`{"inputs":[`+list(n, pattern)+`]}`))
			if got := reasonOf(t, err); got != want {
				t.Errorf("%d inputs: %v, want %s", n, err, want)
			}
		}
		request := &codec.Request{}
		for i := range n {
			request.Inputs = append(request.Inputs, codec.Input{Tensor: tensor.Tensor{Name: strconv.Itoa(i), DataType: tensor.FP64,
				Shape: []int64{50000}, Data: make([]byte, 400000)}})
		}
		if _, err := c.EncodeRequest(request, nil); reasonOf(t, err) != want {
			t.Errorf("encode %d inputs: %v, want %s", n, err, want)
		}
	}
}

func TestAcceptedCoding(t *testing.T) {
	for value, want := range map[string]codec.Coding{
		"":                              codec.Identity,
		"gzip":                          codec.Gzip,
		"GZIP":                          codec.Gzip,
		"deflate":                       codec.Deflate,
		"gzip, deflate":                 codec.Gzip,
		"deflate, gzip":                 codec.Deflate,
		"gzip, deflate, br, zstd":       codec.Gzip,
		"br":                            codec.Identity,
		"*":                             codec.Identity,
		"gzip;q=0.5, deflate;q=0.8":     codec.Deflate,
		"gzip;q=0.5, identity":          codec.Identity,
		"identity;q=0.1, gzip;q=0.2":    codec.Gzip,
		"gzip;q=0":                      codec.Identity,
		"gzip;q=2, deflate;q=0.1":       codec.Deflate,
		"gzip;q=NaN":                    codec.Identity,
		"gzip;q=":                       codec.Identity,
		"gzip;x=1":                      codec.Identity,
		"gzip ; q=0.3 , deflate;q=.2":   codec.Gzip,
		"gzip;q=0.123456789, deflate;q": codec.Identity,
	} {
		if got := acceptedCoding(codec.Headers{{Name: "accept-encoding", Value: value}}); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
	two := codec.Headers{{Name: "accept-encoding", Value: "br"}, {Name: "accept-encoding", Value: "gzip"}}
	if got := acceptedCoding(two); got != codec.Gzip {
		t.Errorf("two lines: %s", got)
	}
	if got := acceptedCoding(nil); got != codec.Identity {
		t.Errorf("none: %s", got)
	}
}

func TestDecodeRequestNeedsItsRoute(t *testing.T) {
	body := []byte(`{"inputs":[{"name":"X","shape":[1],"datatype":"UINT8","data":[1]}]}`)
	for _, path := range []string{"/v2/models/m/config", "/inference.GRPCInferenceService/ModelInfer", "/v2/models/m/ready"} {
		if _, err := newCodec(t).DecodeRequest(codec.Select("GET", path), nil, body); reasonOf(t, err) != "route_denied" {
			t.Errorf("%s: %v", path, err)
		}
	}
	request, err := newCodec(t).DecodeRequest(codec.Select("POST", "/v2/models/m/versions/4/infer"), nil, body)
	if err != nil || request.Model != "m" || request.Version != "4" || request.Accept != codec.Identity {
		t.Errorf("%+v, %v", request, err)
	}
	c := newCodec(t)
	for _, want := range []string{"/v2/models/m/infer", "/v2/models/m/versions/4/infer"} {
		route := codec.Select("POST", want)
		if got := c.Path(&codec.Request{Model: route.Model, Version: route.Version}); got != want || got != route.Path {
			t.Errorf("path %s, want %s", got, want)
		}
	}
}

// TestEncodeRequestRefuses holds that a request which a caller changed into
// something ambiguous does not get out.
func TestEncodeRequestRefuses(t *testing.T) {
	good := func() *codec.Request {
		return &codec.Request{Inputs: []codec.Input{{Tensor: tensor.Tensor{Name: "X", DataType: tensor.Uint8, Shape: []int64{2}, Data: []byte{1, 2}}}}}
	}
	for about, c := range map[string]struct {
		change  func(*codec.Request)
		outputs []string
		expect  codec.Reason
	}{
		"data against shape": {func(r *codec.Request) { r.Inputs[0].Data = nil }, nil, codec.InputDataInvalid},
		"no datatype":        {func(r *codec.Request) { r.Inputs[0].DataType = tensor.Invalid }, nil, codec.InputDataInvalid},
		"name with NUL":      {func(r *codec.Request) { r.Inputs[0].Name = "X\x00" }, nil, codec.NameInvalid},
		"name not UTF-8":     {func(r *codec.Request) { r.Inputs[0].Name = "X\xff" }, nil, codec.NameInvalid},
		"name with C1":       {func(r *codec.Request) { r.Inputs[0].Name = "X\u0085" }, nil, codec.NameInvalid},
		"id with newline":    {func(r *codec.Request) { r.ID = "a\n" }, nil, codec.NameInvalid},
		"same input twice":   {func(r *codec.Request) { r.Inputs = append(r.Inputs, r.Inputs[0]) }, nil, codec.InputDuplicate},
		"same output twice":  {func(*codec.Request) {}, []string{"Y", "Y"}, codec.OutputDuplicate},
		"output with NUL":    {func(*codec.Request) {}, []string{"\x00"}, codec.NameInvalid},
		"input parameters":   {func(r *codec.Request) { r.Inputs[0].Parameters = []codec.Parameter{{Name: "a", Value: true}} }, nil, codec.ParameterInvalid},
		"reserved parameter": {func(r *codec.Request) { r.Parameters = []codec.Parameter{{Name: "binary_data_output", Value: false}} }, nil, codec.ParameterInvalid},
		"parameter with NUL": {func(r *codec.Request) { r.Parameters = []codec.Parameter{{Name: "a", Value: "\x00"}} }, nil, codec.ParameterInvalid},
		"parameter name":     {func(r *codec.Request) { r.Parameters = []codec.Parameter{{Name: "", Value: "a"}} }, nil, codec.NameInvalid},
		"parameter type":     {func(r *codec.Request) { r.Parameters = []codec.Parameter{{Name: "a", Value: 1}} }, nil, codec.ParameterInvalid},
	} {
		request := good()
		c.change(request)
		if _, err := newCodec(t).EncodeRequest(request, c.outputs); reasonOf(t, err) != string(c.expect) {
			t.Errorf("%s: %v, want %s", about, err, c.expect)
		}
	}
	m, err := newCodec(t).EncodeRequest(good(), []string{"Y", "Z"})
	want := `{"parameters":{"binary_data_output":true},"inputs":[{"name":"X","shape":[2],"datatype":"UINT8","parameters":{"binary_data_size":2}}],` +
		`"outputs":[{"name":"Y","parameters":{"binary_data":true}},{"name":"Z","parameters":{"binary_data":true}}]}` + "\x01\x02"
	if err != nil || string(m.Body) != want {
		t.Errorf("%v\n got %q\nwant %q", err, m.Body, want)
	}
}

// TestZlibDictionary: a preset dictionary is data that is not in the body.
func TestZlibDictionary(t *testing.T) {
	var b bytes.Buffer
	w, err := zlib.NewWriterLevelDict(&b, 9, []byte(`{"inputs":`))
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(`{"inputs":[]}`))
	w.Close()
	_, err = newCodec(t).DecodeRequest(inferRoute, codec.Headers{{Name: "content-encoding", Value: "deflate"}}, b.Bytes())
	if reasonOf(t, err) != "encoding_invalid" {
		t.Error(err)
	}
}
