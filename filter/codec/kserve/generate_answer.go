package kserve

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
	"weir/sanitize/tensor"
)

// The framing of an event (WHATWG HTML §9.2) as Triton writes it.
var (
	eventStart = []byte("data: ")
	eventEnd   = []byte("\n\n")
)

// decodeGenerated parses the answer to a generate request, or one event of it: the
// outputs by their names, beside what Triton says of the model. An error under
// status 200 is one event of a stream; without a stream it is the whole answer, of a
// model that did not give exactly one.
func (c *HTTP) decodeGenerated(request *codec.Request, body []byte) (*codec.Response, error) {
	if request.Stream {
		data, started := bytes.CutPrefix(body, eventStart)
		data, ended := bytes.CutSuffix(data, eventEnd)
		if !started || !ended {
			return nil, codec.Refuse(codec.JSONMalformed, "an event is not one line of data")
		}
		body = data
	}
	p := c.parser(body, c.limits.MaxResponseBytes)
	response, err := p.generated(request)
	if err != nil {
		return nil, err
	}
	if response.Error != "" && !request.Stream {
		return nil, codec.Refuse(codec.JSONMalformed, "it is an error under status 200")
	}
	return response, p.End()
}

// generated reads the JSON of an answer: an error alone, or a model's answer.
func (p *parser) generated(request *codec.Request) (*codec.Response, error) {
	g, _ := request.Extra.(*generate)
	if g == nil || request.Signature == nil {
		return nil, codec.Refuse(codec.JSONMalformed, "it came before the request had a model")
	}
	r, keys := &codec.Response{}, 0
	err := p.Object("the answer", func(key string) (err error) {
		keys++
		switch spec := request.Signature.Output(key); {
		case key == "id":
			r.ID, err = p.id()
		case key == "model_name":
			r.Model, err = p.name("a model name")
		case key == "model_version":
			r.Version, err = p.name("a model version")
		case spec != nil:
			err = p.generatedOutput(g, request.Signature, spec, r)
		case key == "error":
			r.Error, err = p.String("an error")
			r.Error, r.Anonymous = cmp.Or(r.Error, "no reason given"), true
		case key == "sequence_id" || key == "sequence_start" || key == "sequence_end":
			err = p.ensembleParameter(key, r)
		default:
			err = unknownKey("the answer")
		}
		return err
	})
	if err == nil && (r.Model == "") != r.Anonymous || r.Anonymous && keys != 1 {
		err = codec.Refuse(codec.JSONMalformed, "it is neither an error alone nor the answer of a model")
	}
	return r, err
}

// ensembleParameter reads one of the parameters that an ensemble puts into its
// answers.
func (p *parser) ensembleParameter(name string, r *codec.Response) error {
	v, err := p.parameter()
	if err != nil {
		return err
	}
	parameter := codec.Parameter{Name: name, Value: v}
	r.Parameters = append(r.Parameters, parameter)
	return checkParameter(parameter)
}

// generatedOutput reads an output, whose shape the answer does not say: it follows
// from the signature and the rows of the request.
func (p *parser) generatedOutput(g *generate, signature *codec.Signature, spec *codec.Spec, r *codec.Response) error {
	if len(r.Outputs) >= p.limits.MaxOutputs {
		return codec.Refuse(codec.OutputsTooMany, "more than %d outputs", p.limits.MaxOutputs)
	}
	v, err := p.value(p.skipGenerated)
	if err != nil {
		return err
	}
	shape, ok := g.outputShape(signature, spec, v.count)
	if !ok {
		return codec.Refuse(codec.ShapeInvalid, "%d elements do not make an output %q", v.count, spec.Name)
	}
	t, err := p.flatTensor(tensor.Tensor{Name: spec.Name, DataType: spec.DataType, Shape: shape}, v, generatedElements)
	r.Outputs = append(r.Outputs, t)
	return err
}

func (g *generate) outputShape(signature *codec.Signature, spec *codec.Spec, count int64) (shape []int64, ok bool) {
	row := rowShape(signature, spec)
	if signature.MaxBatchSize == 0 {
		return fillShape(row, count)
	}
	if g.rows < 1 || count%g.rows != 0 {
		return nil, false
	}
	shape, ok = fillShape(row, count/g.rows)
	return append([]int64{g.rows}, shape...), ok
}

// generatedElements read what Triton writes, which has tokens for the floating-point
// numbers that JSON cannot say.
var generatedElements = func() map[tensor.DataType]element {
	all := maps.Clone(elements)
	all[tensor.FP32] = element{strictjson.Number, func(s *strictjson.Scanner, dst []byte) ([]byte, error) {
		if v, ok := notFinite(s); ok {
			return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v))), nil
		}
		return fp32Element(s, dst)
	}}
	all[tensor.FP64] = element{strictjson.Number, func(s *strictjson.Scanner, dst []byte) ([]byte, error) {
		if v, ok := notFinite(s); ok {
			return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v)), nil
		}
		return fp64Element(s, dst)
	}}
	return all
}()

// notFinite consumes one of the tokens that appendFloat writes, if one comes next.
func notFinite(s *strictjson.Scanner) (value float64, ok bool) {
	for _, v := range [...]float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if s.Word(string(appendFloat(nil, v))) {
			return v, true
		}
	}
	return 0, false
}

// skipGenerated finds the end of a value that Triton wrote.
func (p *parser) skipGenerated() error {
	if _, ok := notFinite(&p.Scanner); ok {
		return nil
	}
	return p.skipScalar()
}

// encodeGenerated writes an answer as Triton does: one object with its keys in the
// order of their bytes; an output of one element is that element, every other a flat
// list. An error is an event of a stream.
func (c *HTTP) encodeGenerated(request *codec.Request, response *codec.Response) (*codec.Message, error) {
	if response.Error != "" {
		return &codec.Message{Body: c.EncodeError(request, response.Error)}, nil
	}
	var w []byte
	if request.Stream {
		w = append(w, eventStart...)
	}
	w = append(w, '{')
	for i, m := range c.answerMembers(response) {
		var err error
		if w, err = m.write(append(strictjson.AppendString(appendComma(w, i), m.name), ':')); err != nil {
			return nil, err
		}
	}
	w = append(w, '}')
	if len(w) > c.limits.MaxResponseBytes {
		return nil, tooLarge(&c.limits)
	}
	if request.Stream {
		return &codec.Message{Body: append(w, eventEnd...)}, nil
	}
	return codec.JSONMessage(w), nil
}

// answerMember is a key of an answer, and what writes its value.
type answerMember struct {
	name  string
	write func(w []byte) ([]byte, error)
}

func (c *HTTP) answerMembers(r *codec.Response) []answerMember {
	var members []answerMember
	text := func(name, value string) {
		if value != "" {
			members = append(members, answerMember{name, func(w []byte) ([]byte, error) { return strictjson.AppendString(w, value), nil }})
		}
	}
	text("id", r.ID)
	text("model_name", r.Model)
	text("model_version", r.Version)
	for _, p := range r.Parameters {
		members = append(members, answerMember{p.Name, func(w []byte) ([]byte, error) {
			w, err := appendValue(w, p.Value)
			if err != nil {
				return nil, malformedResponse(err)
			}
			return w, nil
		}})
	}
	for i := range r.Outputs {
		t := &r.Outputs[i]
		members = append(members, answerMember{t.Name, func(w []byte) ([]byte, error) { return c.appendFlat(w, t) }})
	}
	slices.SortFunc(members, func(a, b answerMember) int { return cmp.Compare(a.name, b.name) })
	return members
}
