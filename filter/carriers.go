package filter

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize"
	"weir/sanitize/tensor"
)

// verb sanitises one value: the file of an image, a text.
type verb func(value []byte) ([]byte, sanitize.Report, error)

// writer appends a value to dst in the form in which it travels.
type writer func(dst, value []byte) ([]byte, error)

func plain(dst, value []byte) ([]byte, error) { return append(dst, value...), nil }

// sanitizeInput runs one tensor through the verb of its rule, value by value. The
// result may have at most room bytes, and the dimensions that spec, if it is known,
// lets it have.
func sanitizeInput(ctx context.Context, rule policy.Input, in tensor.Tensor, spec *codec.Spec, room int) (tensor.Tensor, sanitize.Report, error) {
	if !rule.Carries(in.DataType) {
		return tensor.Tensor{}, sanitize.Report{}, &sanitize.Refusal{Reason: sanitize.TensorDataType,
			Detail: rule.Kind.String() + " does not travel as " + in.DataType.String()}
	}
	switch rule.Kind {
	case policy.Image:
		image := func(file []byte) ([]byte, sanitize.Report, error) { return sanitize.Image(ctx, file, rule.Image) }
		if in.DataType == tensor.Uint8 {
			return eachRow(ctx, in, spec, room, image)
		}
		image, write := encoded(rule.Encoding, image)
		return eachElement(ctx, in, room, image, write)
	case policy.Pixels:
		return sanitize.Pixels(ctx, in, rule.Pixels)
	case policy.Text:
		text := func(value []byte) ([]byte, sanitize.Report, error) { return sanitize.Text(value, rule.Text) }
		return eachElement(ctx, in, room, text, plain)
	case policy.Tensor:
		return sanitize.Tensor(in, rule.Tensor)
	default: // opaque: Carries has refused what is undeclared
		return in, sanitize.Report{Kind: rule.Kind.String(), Action: sanitize.Unchanged}, nil
	}
}

// encoded makes a verb on files take them in an encoding, and returns the writer of what
// it gives.
func encoded(e policy.Encoding, do verb) (verb, writer) {
	switch e {
	case policy.Base64:
		return fromBase64(do), func(dst, file []byte) ([]byte, error) { return base64.StdEncoding.AppendEncode(dst, file), nil }
	case policy.DataURI:
		return fromDataURI(do), codec.AppendImageURI // under the type of the file, whatever the client called it
	default:
		return do, plain
	}
}

// fromBase64 makes a verb take base64, of which only the form that encoding the bytes
// gives again is taken.
func fromBase64(do verb) verb {
	return func(text []byte) ([]byte, sanitize.Report, error) {
		value, err := codec.AppendBase64(make([]byte, 0, base64.StdEncoding.DecodedLen(len(text))), text)
		if err != nil {
			return nil, sanitize.Report{}, err
		}
		return do(value)
	}
}

// fromDataURI makes a verb on the files of images take data: URIs.
func fromDataURI(do verb) verb {
	do = fromBase64(do)
	return func(uri []byte) ([]byte, sanitize.Report, error) {
		text, err := codec.CutImageURI(uri)
		if err != nil {
			return nil, sanitize.Report{}, err
		}
		return do(text)
	}
}

// eachElement runs a verb over the BYTES elements of a tensor and writes what it gives.
// Sanitising may make a value larger, so the sum is limited.
func eachElement(ctx context.Context, in tensor.Tensor, room int, do verb, write writer) (tensor.Tensor, sanitize.Report, error) {
	n, err := tensor.Elements(in.Shape, int64(len(in.Data)))
	if err != nil {
		return tensor.Tensor{}, sanitize.Report{}, err
	}
	total := sanitize.Report{Action: sanitize.Unchanged}
	var out []byte
	err = tensor.EachElement(in.Data, n, func(i int64, element []byte) error {
		clean, err := one(ctx, int(i), element, do, &total)
		if err != nil {
			return err
		}
		if len(out)+4+len(clean) > room {
			return tooLarge()
		}
		if out == nil { // not before: the one element there is needs memory of its own meanwhile
			out = make([]byte, 0, len(in.Data))
		}
		start := len(out) + 4
		if out, err = write(append(out, 0, 0, 0, 0), clean); err != nil {
			return &elementError{int(i), len(element), err}
		}
		binary.LittleEndian.PutUint32(out[start-4:], uint32(len(out)-start))
		if len(out) > room {
			return tooLarge()
		}
		return nil
	})
	if err != nil {
		return tensor.Tensor{}, sanitize.Report{}, err
	}
	in.Data = out
	return in, total, nil
}

// one runs a verb over the value number i of a tensor and adds what it reports to
// total; the strongest action is that of the whole.
func one(ctx context.Context, i int, value []byte, do verb, total *sanitize.Report) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, &sanitize.Refusal{Reason: sanitize.DeadlineExceeded, Detail: ctx.Err().Error()}
	}
	clean, report, err := do(value)
	if err != nil {
		return nil, &elementError{i, len(value), err}
	}
	total.Kind, total.Format, total.Action = report.Kind, report.Format, max(total.Action, report.Action)
	for _, r := range report.Removed {
		total.Remove(r.Where, r.Bytes)
	}
	return clean, nil
}

func tooLarge() error {
	return codec.Refuse(codec.BodyTooLarge, "sanitising makes the request too large")
}

// elementError is the error of one element of a tensor.
type elementError struct {
	index int
	bytes int // of the element as it came
	err   error
}

func (e *elementError) Error() string { return fmt.Sprintf("element %d: %v", e.index, e.err) }
func (e *elementError) Unwrap() error { return e.err }
