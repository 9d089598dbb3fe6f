package kserve

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

func newJSONCodec(t testing.TB) *JSON {
	t.Helper()
	c, err := NewJSON(DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func readJSONVectors(t testing.TB) []vector { return readVectorFile(t, "testdata/jsonform.txt", 25) }

func TestJSONRequestVectors(t *testing.T) {
	c := newJSONCodec(t)
	for _, v := range readJSONVectors(t) {
		t.Run(v.about, func(t *testing.T) {
			request, err := c.DecodeRequest(inferRoute, v.headers, v.body())
			var m *codec.Message
			if err == nil {
				m, err = c.EncodeRequest(request, nil)
			}
			if got := reasonOf(t, err); got != v.expect || (m == nil) != (err != nil) {
				t.Fatalf("got %v, want %s", err, v.expect)
			}
			if err != nil {
				return
			}
			if got := string(m.Body); got != v.wantJSON {
				t.Errorf("canonical form\n got %q\nwant %q", got, v.wantJSON)
			}
			want := codec.Headers{{Name: "content-type", Value: "application/json"}, {Name: "content-length", Value: strconv.Itoa(len(m.Body))}}
			if !slices.Equal(m.Headers, want) {
				t.Errorf("headers %v, want %v", m.Headers, want)
			}
		})
	}
}

// What MLServer and KServe read of the canonical form is the typed message.
// testdata/jsonform.py made the files with the libraries of those servers.
func TestServersReadTheTypedMessage(t *testing.T) {
	for _, server := range []string{"mlserver", "kserve"} {
		golden, err := os.ReadFile("testdata/jsonform_" + server + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		var typed strings.Builder
		for _, v := range readJSONVectors(t) {
			if v.expect != "ok" {
				continue
			}
			request, err := newJSONCodec(t).DecodeRequest(inferRoute, v.headers, v.body())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&typed, v.about)
			for _, in := range request.Inputs {
				if server == "kserve" && in.DataType == tensor.FP16 {
					fmt.Fprintf(&typed, "   refused: Sending FP16 data via JSON is not supported. Please use the binary data format for input %s\n", in.Name)
					continue
				}
				data := hex.EncodeToString(in.Data)
				if data == "" {
					data = "-"
				}
				fmt.Fprintf(&typed, "   %s %s %s %s\n", in.Name, in.DataType, strings.ReplaceAll(fmt.Sprint(in.Shape), " ", ","), data)
			}
		}
		if typed.String() != string(golden) {
			t.Errorf("%s reads\n%s\nthe typed messages are\n%s", server, golden, typed.String())
		}
	}
}

// Whatever a client may send to a server with binary tensors it may send to one
// without, but for what JSON cannot say.
func TestJSONTakesEveryForm(t *testing.T) {
	c, refused := newJSONCodec(t), map[codec.Reason]int{}
	for _, v := range readVectors(t) {
		want := v.expect
		if v.about == "FP16 has no JSON form in Triton" {
			want = "ok"
		}
		request, err := c.DecodeRequest(inferRoute, v.headers, v.body())
		if got := reasonOf(t, err); got != want {
			t.Errorf("%s: got %v, want %s", v.about, err, want)
			continue
		}
		if err == nil && named(request) {
			refused[checkCanonical(t, c, request, nil)]++
		}
	}
	if refused[""] < 20 || len(refused) > 4 {
		t.Errorf("refused: %v", refused)
	}
}

// named reports whether all inputs have names, which those of a raw binary request
// get from the signature.
func named(r *codec.Request) bool {
	return !slices.ContainsFunc(r.Inputs, func(in codec.Input) bool { return in.Name == "" })
}

// checkCanonical encodes a request and holds that a parser of JSON reads the typed
// message, and that the form is a fixed point. It returns the reason of a refusal,
// which must be one of what JSON cannot say.
func checkCanonical(t testing.TB, c *JSON, request *codec.Request, outputs []string) codec.Reason {
	t.Helper()
	m, err := c.EncodeRequest(request, outputs)
	var refusal *codec.Refusal
	if errors.As(err, &refusal) {
		if !unspeakable(request) {
			t.Fatalf("refused: %v", err)
		}
		return refusal.Reason
	}
	read, asked, err := readPlain(m.Body)
	if err != nil {
		t.Fatalf("%v\n%q", err, m.Body)
	}
	if err := sameRequest(canonicalBools(request), read); err != nil || !slices.Equal(asked, outputs) {
		t.Fatalf("the server reads another message, asked for %q: %v\n%q", asked, err, m.Body)
	}
	again, err := c.DecodeRequest(inferRoute, m.Headers, m.Body)
	if err != nil {
		t.Fatalf("own form refused: %v\n%q", err, m.Body)
	}
	m2, err := c.EncodeRequest(again, outputs)
	if err != nil || !bytes.Equal(m.Body, m2.Body) {
		t.Fatalf("not a fixed point: %v\n%q\n%q", err, m.Body, m2.Body)
	}
	return ""
}

// canonicalBools is a request in which true is 1: in binary form it may be any byte
// but 0.
func canonicalBools(r *codec.Request) *codec.Request {
	clean := *r
	clean.Inputs = slices.Clone(r.Inputs)
	for i := range clean.Inputs {
		in := &clean.Inputs[i]
		if in.DataType == tensor.Bool {
			in.Data = bytes.Clone(in.Data)
			for j := range in.Data {
				in.Data[j] = min(in.Data[j], 1)
			}
		}
	}
	return &clean
}

// unspeakable reports whether a request holds something that JSON, or the servers of
// this dialect, have no word for.
func unspeakable(r *codec.Request) bool {
	for _, p := range r.Parameters {
		if p.Name == "content_type" || p.Name == "headers" {
			return true
		}
	}
	for _, o := range r.Outputs {
		if o.Classes > 0 {
			return true
		}
	}
	for _, in := range r.Inputs {
		if in.DataType == tensor.BF16 || in.DataType == tensor.Bytes && !validTexts(in.Tensor) {
			return true
		}
		values, _ := in.Floats()
		if slices.ContainsFunc(values, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }) {
			return true
		}
	}
	return false
}

func validTexts(t tensor.Tensor) bool {
	n, _ := tensor.Elements(t.Shape, math.MaxInt32)
	return tensor.EachElement(t.Data, n, func(_ int64, e []byte) error {
		if !utf8.Valid(e) {
			return errors.New("not text")
		}
		return nil
	}) == nil
}

// readPlain reads a request with encoding/json, numbers as Python does: integers
// exactly, floats as float64 that numpy rounds to the datatype.
func readPlain(body []byte) (*codec.Request, []string, error) {
	var wire struct {
		ID         string
		Parameters json.RawMessage
		Inputs     []struct {
			Name, Datatype string
			Shape          []int64
			Data           json.RawMessage
			Parameters     any
		}
		Outputs []struct {
			Name       string
			Parameters any
		}
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return nil, nil, err
	}
	r := &codec.Request{ID: wire.ID}
	var err error
	if r.Parameters, err = readParameters(wire.Parameters); err != nil {
		return nil, nil, err
	}
	for _, in := range wire.Inputs {
		d, err := tensor.ParseDataType(in.Datatype)
		if err != nil || in.Parameters != nil {
			return nil, nil, fmt.Errorf("datatype or parameters of %q: %v", in.Name, err)
		}
		data, count, err := readNumbers(d, in.Data)
		if n, e := tensor.Elements(in.Shape, math.MaxInt32); err != nil || e != nil || n != int64(count) {
			return nil, nil, fmt.Errorf("%d elements of shape %v: %v, %v", count, in.Shape, err, e)
		}
		r.Inputs = append(r.Inputs, codec.Input{Tensor: tensor.Tensor{Name: in.Name, DataType: d, Shape: in.Shape, Data: data}})
	}
	var outputs []string
	for _, out := range wire.Outputs {
		if out.Parameters != nil {
			return nil, nil, errors.New("an output has parameters")
		}
		outputs = append(outputs, out.Name)
	}
	return r, outputs, nil
}

// readParameters keeps the order, which a map would lose.
func readParameters(object json.RawMessage) (list []codec.Parameter, err error) {
	if object == nil {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		name, _ := d.Token()
		value, err := d.Token()
		if err != nil {
			return nil, err
		}
		if number, ok := value.(json.Number); ok {
			if value, err = parsedNumber(string(number)); err != nil {
				return nil, err
			}
		}
		list = append(list, codec.Parameter{Name: name.(string), Value: value})
	}
	return list, nil
}

func parsedNumber(text string) (any, error) {
	if strings.ContainsAny(text, ".e") {
		return strconv.ParseFloat(text, 64)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	return strconv.ParseUint(text, 10, 64)
}

func readNumbers(d tensor.DataType, list json.RawMessage) (data []byte, count int, err error) {
	data = []byte{}
	var elements []json.RawMessage
	if err := json.Unmarshal(list, &elements); err != nil {
		return nil, 0, err
	}
	for _, e := range elements {
		switch {
		case d == tensor.Bytes:
			var text string
			err = json.Unmarshal(e, &text)
			data = tensor.AppendElement(data, []byte(text))
		case d == tensor.Bool:
			var value bool
			err = json.Unmarshal(e, &value)
			data = append(data, byte(btoi(value)))
		case d.Float():
			var value float64
			if !bytes.ContainsAny(e, ".e") {
				return nil, 0, fmt.Errorf("%s reads as an integer", e)
			}
			err = json.Unmarshal(e, &value)
			data = appendRounded(data, d, value)
		case e[0] == '-':
			var value int64
			value, err = strconv.ParseInt(string(e), 10, 8*d.Size())
			data = appendInteger(data, d.Size(), uint64(value))
		default:
			var value uint64
			bits := 8 * d.Size()
			if d >= tensor.Int8 && d <= tensor.Int64 {
				bits--
			}
			value, err = strconv.ParseUint(string(e), 10, bits)
			data = appendInteger(data, d.Size(), value)
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return data, len(elements), nil
}

// appendRounded rounds as numpy does, FP16 by looking for the nearest of them all.
func appendRounded(data []byte, d tensor.DataType, value float64) []byte {
	switch d {
	case tensor.FP32:
		return binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(value)))
	case tensor.FP64:
		return binary.LittleEndian.AppendUint64(data, math.Float64bits(value))
	}
	return binary.LittleEndian.AppendUint16(data, nearestHalf(value))
}

// halves are the finite FP16 that are not negative, in order.
var halves = func() []float64 {
	all := make([]float64, 0x7C00)
	for i := range all {
		all[i] = tensor.FP16.Float64([]byte{byte(i), byte(i >> 8)})
	}
	return all
}()

func nearestHalf(value float64) uint16 {
	magnitude := math.Abs(value)
	i, _ := slices.BinarySearch(halves, magnitude)
	switch {
	case i == len(halves):
		i--
	case i > 0:
		below, above := magnitude-halves[i-1], halves[i]-magnitude
		if below < above || below == above && i%2 == 1 {
			i--
		}
	}
	if math.Signbit(value) {
		i |= 0x8000
	}
	return uint16(i)
}

func TestHalf(t *testing.T) {
	check := func(value float64, want uint16, ok bool) {
		t.Helper()
		for _, sign := range []float64{1, -1} {
			if got, gotOK := toHalf(math.Copysign(value, sign)); gotOK != ok || ok && got != want|uint16(btoi(sign < 0))<<15 {
				t.Errorf("toHalf(%v) = %#04x, %t, want %#04x, %t", sign*value, got, gotOK, want, ok)
			}
		}
	}
	for i, value := range halves {
		check(value, uint16(i), true)
		if i+1 == len(halves) {
			break
		}
		middle, even := (value+halves[i+1])/2, uint16(i+i%2)
		check(middle, even, true)
		check(math.Nextafter(middle, 0), uint16(i), true)
		check(math.Nextafter(middle, math.Inf(1)), uint16(i+1), true)
	}
	check(math.Nextafter(65520, 0), 0x7BFF, true)
	check(65520, 0, false)
	check(math.MaxFloat64, 0, false)
	check(math.SmallestNonzeroFloat64, 0, true)
}

// The digits of a float32 read back as the same float32, at once and by way of a
// float64. That there is only one exception was tried for all of them.
func TestShortestFloatsReadBack(t *testing.T) {
	write := requestWriters[tensor.FP32]
	check := func(bits uint32) {
		value := math.Float32frombits(bits)
		text := string(write(nil, binary.LittleEndian.AppendUint32(nil, bits)))
		single, err1 := strconv.ParseFloat(text, 32)
		double, err2 := strconv.ParseFloat(text, 64)
		if err1 != nil || err2 != nil || math.Float32bits(float32(single)) != bits || math.Float32bits(float32(double)) != bits {
			t.Errorf("%v is written %s, which reads as %v and %v", value, text, float32(single), float32(double))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		if bits := r.Uint32(); bits&0x7F800000 != 0x7F800000 {
			check(bits)
		}
	}
	for _, bits := range []uint32{0, 1 << 31, 1, 0x7F7FFFFF, 0x00800000, doublyRounded, doublyRounded | 1<<31, doublyRounded - 1, doublyRounded + 1} {
		check(bits)
	}
	double, _ := strconv.ParseFloat(string(appendShortest(nil, float64(math.Float32frombits(doublyRounded)), 32)), 64)
	if math.Float32bits(float32(double)) == doublyRounded {
		t.Error("the exception is none")
	}
}

func TestJSONAsksForOutputs(t *testing.T) {
	request := &codec.Request{ID: "7", Inputs: []codec.Input{{Tensor: tensor.Tensor{Name: "X", DataType: tensor.Uint8, Shape: []int64{1}, Data: []byte{1}}}}}
	m, err := newJSONCodec(t).EncodeRequest(request, []string{"A", "b\"c"})
	const want = `{"id":"7","inputs":[{"name":"X","shape":[1],"datatype":"UINT8","data":[1]}],"outputs":[{"name":"A"},{"name":"b\"c"}]}`
	if err != nil || string(m.Body) != want {
		t.Errorf("got %s, %v\nwant %s", m.Body, err, want)
	}
	if _, err := newJSONCodec(t).EncodeRequest(request, []string{"A", "A"}); reasonOf(t, err) != string(codec.OutputDuplicate) {
		t.Errorf("the same output twice: %v", err)
	}
}

// A request is as large as the JSON that the server gets, whatever the client sent.
func TestJSONRequestTooLarge(t *testing.T) {
	limits := DefaultLimits()
	limits.MaxBodyBytes = 200
	c, err := NewJSON(limits)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(d tensor.DataType, n int, data []byte) error {
		m, err := c.EncodeRequest(&codec.Request{Inputs: []codec.Input{{Tensor: tensor.Tensor{Name: "X", DataType: d, Shape: []int64{int64(n)}, Data: data}}}}, nil)
		if err == nil && len(m.Body) > 200 {
			t.Errorf("a request of %d bytes", len(m.Body))
		}
		return err
	}
	const rest = len(`{"inputs":[{"name":"X","shape":[1],"datatype":"BYTES","data":[""]}]}`)
	text := func(n int) []byte { return tensor.AppendElement(nil, bytes.Repeat([]byte("a"), n)) }
	if err := encode(tensor.Bytes, 1, text(200-rest)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	for name, err := range map[string]error{
		"one beyond it":     encode(tensor.Bytes, 1, text(201-rest)),
		"far beyond it":     encode(tensor.Bytes, 1, text(1000)),
		"numbers that grow": encode(tensor.Int8, 40, bytes.Repeat([]byte{0x80}, 40)),
	} {
		if reasonOf(t, err) != string(codec.BodyTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJSONHasNoExtensions(t *testing.T) {
	c := newJSONCodec(t)
	for path, want := range map[string]string{"infer": "ok", "generate": "protocol_not_enabled", "generate_stream": "protocol_not_enabled"} {
		_, err := c.DecodeHead(codec.Select("POST", "/v2/models/m/"+path), nil)
		if got := reasonOf(t, err); got != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	for version, want := range map[string]string{"": "/v2/models/m/infer", "1": "/v2/models/m/versions/1/infer"} {
		if got := c.Path(&codec.Request{Model: "m", Version: version}); got != want {
			t.Errorf("path %s, want %s", got, want)
		}
	}
	if _, err := NewJSON(Limits{}); err == nil {
		t.Error("no limits are taken")
	}
}

// FuzzJSONRequest holds that what is accepted is encoded so that encoding/json
// reads the typed message, whatever form the client chose.
func FuzzJSONRequest(f *testing.F) {
	for _, v := range append(readVectors(f), readJSONVectors(f)...) {
		value, lines := v.headers.Get(headerLengthName)
		if lines == 0 {
			value = "-"
		}
		f.Add(v.body(), value)
	}
	f.Fuzz(func(t *testing.T, body []byte, headerLength string) {
		c := newJSONCodec(t)
		headers := codec.Headers{{Name: headerLengthName, Value: headerLength}}
		if headerLength == "-" {
			headers = nil
		}
		request, err := c.DecodeRequest(inferRoute, headers, body)
		if reasonOf(t, err) != "ok" || !named(request) {
			return
		}
		var names []string
		for _, output := range request.Outputs {
			names = append(names, output.Name)
		}
		checkCanonical(t, c, request, names)
	})
}
