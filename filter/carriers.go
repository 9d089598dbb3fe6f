package filter

import (
	"context"
	"encoding/base64"
	"fmt"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize"
	"weir/sanitize/tensor"
)

// verb sanitises one value: the file of an image, a text.
type verb func(value []byte) ([]byte, sanitize.Report, error)

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
		return eachElement(ctx, in, room, encoded(rule.Encoding, image))
	case policy.Pixels:
		return sanitize.Pixels(ctx, in, rule.Pixels)
	case policy.Text:
		return eachElement(ctx, in, room, func(text []byte) ([]byte, sanitize.Report, error) { return sanitize.Text(text, rule.Text) })
	case policy.Tensor:
		return sanitize.Tensor(in, rule.Tensor)
	default: // opaque: Carries has refused what is undeclared
		return in, sanitize.Report{Kind: rule.Kind.String(), Action: sanitize.Unchanged}, nil
	}
}

// encoded makes a verb take and give files in an encoding.
func encoded(e policy.Encoding, do verb) verb {
	switch e {
	case policy.Base64:
		return inBase64(do)
	case policy.DataURI:
		return inDataURI(do)
	default:
		return do
	}
}

// inBase64 makes a verb take and give base64, of which only the form that encoding
// the bytes gives again is taken.
func inBase64(do verb) verb {
	return func(text []byte) ([]byte, sanitize.Report, error) {
		value, err := codec.AppendBase64(nil, text)
		if err != nil {
			return nil, sanitize.Report{}, err
		}
		clean, report, err := do(value)
		if err != nil {
			return nil, report, err
		}
		return base64.StdEncoding.AppendEncode(nil, clean), report, nil
	}
}

// inDataURI makes a verb on the files of images take and give data: URIs. The media
// type of what it gives is that of the file, whatever the client called it.
func inDataURI(do verb) verb {
	return func(uri []byte) ([]byte, sanitize.Report, error) {
		text, err := codec.CutImageURI(uri)
		if err != nil {
			return nil, sanitize.Report{}, err
		}
		value, err := codec.AppendBase64(nil, text)
		if err != nil {
			return nil, sanitize.Report{}, err
		}
		clean, report, err := do(value)
		if err != nil {
			return nil, report, err
		}
		clean, err = codec.AppendImageURI(nil, clean)
		return clean, report, err
	}
}

// eachElement runs a verb over the BYTES elements of a tensor. Sanitising may make a
// value larger, so the sum is limited.
func eachElement(ctx context.Context, in tensor.Tensor, room int, do verb) (tensor.Tensor, sanitize.Report, error) {
	n, err := tensor.Elements(in.Shape, int64(len(in.Data)))
	if err != nil {
		return tensor.Tensor{}, sanitize.Report{}, err
	}
	total := sanitize.Report{Action: sanitize.Unchanged}
	out := make([]byte, 0, len(in.Data))
	err = tensor.EachElement(in.Data, n, func(i int64, element []byte) error {
		clean, err := one(ctx, int(i), element, do, &total)
		if err != nil {
			return err
		}
		if len(out)+4+len(clean) > room {
			return tooLarge()
		}
		out = tensor.AppendElement(out, clean)
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
		return nil, &elementError{i, err}
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
	err   error
}

func (e *elementError) Error() string { return fmt.Sprintf("element %d: %v", e.index, e.err) }
func (e *elementError) Unwrap() error { return e.err }
