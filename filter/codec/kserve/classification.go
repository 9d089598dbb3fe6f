package kserve

import (
	"bytes"
	"math"
	"strconv"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
	"weir/sanitize/tensor"
)

// Triton's classification extension (extension_classification.md) replaces an
// output by the strings "value:index[:label]" of its largest elements. An output
// that comes back like that would be hidden from the checks, so the model server
// is asked for all classes, and the tensor is rebuilt from them.

// classification reads the parameter of that name of a requested output.
func (p *parser) classification() (int, error) {
	if p.Kind() != strictjson.Number {
		return 0, codec.Refuse(codec.ParameterInvalid, "classification must be a number")
	}
	n, err := p.count(codec.ParameterInvalid, "classification")
	if err == nil && (n < 1 || n > p.limits.MaxElements) {
		err = codec.Refuse(codec.ParameterInvalid, "classification must be between 1 and %d", p.limits.MaxElements)
	}
	return int(n), err
}

// askClasses returns the number of classes of an output to ask the model server
// for: 0, which asks for the tensor, if the client did not ask for classes; else
// all that there are. The signature may not say how many; then it is more than an
// answer can hold, so that none passes which might lack some.
func askClasses(request *codec.Request, output string, limits *Limits) int64 {
	if wantedClasses(request, output) == 0 {
		return 0
	}
	var spec *codec.Spec
	if request.Signature != nil {
		spec = request.Signature.Output(output)
	}
	if spec == nil {
		return limits.MaxBytesElements + 1
	}
	n, err := tensor.Elements(rowShape(request.Signature, spec), limits.MaxBytesElements)
	if err != nil || n < 1 {
		return limits.MaxBytesElements + 1
	}
	return n
}

func wantedClasses(request *codec.Request, output string) int {
	for i := range request.Outputs {
		if request.Outputs[i].Name == output {
			return request.Outputs[i].Classes
		}
	}
	return 0
}

// rowShape is the shape of one row of an output: without the batch dimension.
func rowShape(signature *codec.Signature, spec *codec.Spec) []int64 {
	if signature.MaxBatchSize > 0 && len(spec.Shape) > 0 {
		return spec.Shape[1:]
	}
	return spec.Shape
}

// declassify takes the answers to askClasses apart: each such output becomes the
// tensor that its classes were made of, to six decimals, with the datatype and
// shape of the signature; response.Classified gets the classes that the client
// asked for. The error is a *codec.Refusal with ResponseMalformed.
func declassify(request *codec.Request, response *codec.Response) error {
	if request == nil || request.Signature == nil {
		return nil
	}
	for i := range response.Outputs {
		out := &response.Outputs[i]
		most := wantedClasses(request, out.Name)
		spec := request.Signature.Output(out.Name)
		if most == 0 || spec == nil { // MatchResponse knows what becomes of an unknown output
			continue
		}
		c := classified{spec: spec, out: out, batches: request.Signature.MaxBatchSize > 0, most: int64(most)}
		numbers, classes, err := c.split(rowShape(request.Signature, spec))
		if err != nil {
			return err
		}
		response.Outputs[i] = *numbers
		response.Classified = append(response.Classified, *classes)
	}
	return nil
}

// clientOutput returns an output as the client asked for it: the classes of it,
// or the tensor; nil if the response lacks it.
func clientOutput(response *codec.Response, wanted codec.Output) *tensor.Tensor {
	if wanted.Classes > 0 {
		return find(response.Classified, wanted.Name)
	}
	return find(response.Outputs, wanted.Name)
}

// classified is an output as the server classified it.
type classified struct {
	spec    *codec.Spec
	out     *tensor.Tensor
	batches bool
	most    int64 // classes of each row that the client wants
}

// split returns the tensor that the classes were made of, and those of them that
// the client wants. shape is that of one row in the signature.
func (c *classified) split(shape []int64) (numbers, classes *tensor.Tensor, err error) {
	rows, n, ok := c.size()
	if !ok || c.out.DataType != tensor.Bytes {
		return nil, nil, c.malformed("is not a list of classes")
	}
	if shape, ok = fillShape(shape, n); !ok {
		return nil, nil, c.malformed("has another number of classes than the model")
	}
	elementSize := int64(c.spec.DataType.Size())
	row := classRow{datatype: c.spec.DataType, n: n}
	data := make([]byte, 0, rows*n*elementSize)
	var kept []byte
	err = tensor.EachElement(c.out.Data, rows*n, func(i int64, entry []byte) error {
		if i%n == 0 {
			data = data[:len(data)+int(n*elementSize)]
			row.begin(data[len(data)-int(n*elementSize):])
		}
		if i%n < c.most {
			kept = tensor.AppendElement(kept, entry)
		}
		if !row.add(entry) {
			return c.malformed("holds a class that is none, comes twice, or is out of order")
		}
		return nil
	})
	if err != nil {
		return nil, nil, malformedResponse(err)
	}
	count := min(n, c.most)
	numbers = &tensor.Tensor{Name: c.out.Name, DataType: c.spec.DataType, Shape: shape, Data: data}
	classes = &tensor.Tensor{Name: c.out.Name, DataType: tensor.Bytes, Shape: []int64{count}, Data: kept}
	if c.batches {
		numbers.Shape = append([]int64{rows}, shape...)
		classes.Shape = []int64{rows, count}
	}
	return numbers, classes, nil
}

// size is the number of rows of the output and of classes of each.
func (c *classified) size() (rows, classes int64, ok bool) {
	shape := c.out.Shape
	if c.batches && len(shape) == 2 {
		rows, shape = shape[0], shape[1:]
	} else if !c.batches {
		rows = 1
	}
	if len(shape) != 1 || rows < 1 || shape[0] < 1 {
		return 0, 0, false
	}
	return rows, shape[0], true
}

func (c *classified) malformed(what string) error {
	return codec.Refuse(codec.ResponseMalformed, "output %q %s", c.out.Name, what)
}

// classRow reads the classes of one row into their places.
type classRow struct {
	datatype tensor.DataType
	n        int64
	data     []byte // of the row's elements
	seen     []bool
	last     float64
}

func (r *classRow) begin(data []byte) {
	r.data, r.last = data, math.NaN()
	if r.seen == nil {
		r.seen = make([]bool, r.n)
	}
	clear(r.seen)
}

// add reads one class. It fails unless value and index are numbers as
// std::to_string prints them, the index is new, and the value is not above the one
// before: the server sorts. A label may hold anything, colons too.
func (r *classRow) add(entry []byte) bool {
	text, rest, ok := bytes.Cut(entry, []byte(":"))
	digits, _, _ := bytes.Cut(rest, []byte(":"))
	index, isIndex := decimal(string(digits))
	if !ok || !isIndex || index >= uint64(r.n) || r.seen[index] {
		return false
	}
	r.seen[index] = true
	size := r.datatype.Size()
	value, ok := putValue(r.data[int(index)*size:][:0:size], r.datatype, string(text))
	if !ok || value > r.last {
		return false
	}
	r.last = value
	return true
}

// decimal reads an unsigned integer in its only spelling.
func decimal(text string) (uint64, bool) {
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil && strconv.FormatUint(n, 10) == text
}

// putValue appends a value as std::to_string prints it, in the binary form of its
// datatype, to dst. It returns the value as a float64 for comparisons, and false
// for what is not such a number or such a datatype.
func putValue(dst []byte, d tensor.DataType, text string) (float64, bool) {
	size := d.Size()
	switch d {
	case tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64:
		n, ok := decimal(text)
		appendInteger(dst, size, n)
		return float64(n), ok && n>>(8*size-1)>>1 == 0
	case tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64:
		n, err := strconv.ParseInt(text, 10, 8*size)
		appendInteger(dst, size, uint64(n))
		return float64(n), err == nil && strconv.FormatInt(n, 10) == text
	case tensor.FP32:
		v, ok := fixed(text, 32)
		appendInteger(dst, size, uint64(math.Float32bits(float32(v))))
		return v, ok
	case tensor.FP64:
		v, ok := fixed(text, 64)
		appendInteger(dst, size, math.Float64bits(v))
		return v, ok
	}
	return 0, false
}

// fixed reads a floating-point number of so many bits as printf's "%f" prints it.
func fixed(text string, bits int) (float64, bool) {
	switch text {
	case "nan", "-nan":
		return math.NaN(), true
	case "inf":
		return math.Inf(1), true
	case "-inf":
		return math.Inf(-1), true
	}
	v, err := strconv.ParseFloat(text, bits)
	finite := !math.IsNaN(v) && !math.IsInf(v, 0)
	return v, err == nil && finite && strconv.FormatFloat(v, 'f', 6, 64) == text
}
