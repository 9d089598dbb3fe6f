package filter

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize"
	"weir/sanitize/tensor"
)

// sanitizeInput runs one tensor through the verb of its rule. The result may have
// at most room bytes.
func sanitizeInput(ctx context.Context, rule policy.Input, in tensor.Tensor, room int) (tensor.Tensor, sanitize.Report, error) {
	if !rule.Carries(in.DataType) {
		return tensor.Tensor{}, sanitize.Report{}, &sanitize.Refusal{Reason: sanitize.TensorDataType,
			Detail: rule.Kind.String() + " does not travel as " + in.DataType.String()}
	}
	switch rule.Kind {
	case policy.Image:
		verb := func(e []byte) ([]byte, sanitize.Report, error) { return sanitize.Image(ctx, e, rule.Image) }
		if rule.Base64 {
			verb = inBase64(verb)
		}
		return eachElement(ctx, in, room, verb)
	case policy.Text:
		return eachElement(ctx, in, room, func(e []byte) ([]byte, sanitize.Report, error) { return sanitize.Text(e, rule.Text) })
	case policy.Tensor:
		return sanitize.Tensor(in, rule.Tensor)
	default: // opaque: Carries has refused what is undeclared
		return in, sanitize.Report{Kind: rule.Kind.String(), Action: sanitize.Unchanged}, nil
	}
}

// inBase64 makes a verb take and give base64. Parsers differ on line breaks, other
// characters in between, padding that lacks and bits that are left over, so only the
// form that encoding the bytes gives again is taken (RFC 4648 §3.5 and §4).
func inBase64(verb func([]byte) ([]byte, sanitize.Report, error)) func([]byte) ([]byte, sanitize.Report, error) {
	return func(text []byte) ([]byte, sanitize.Report, error) {
		coding := base64.StdEncoding.Strict()
		value, err := coding.AppendDecode(nil, text)
		if err != nil || bytes.ContainsAny(text, "\r\n") { // which Go skips
			return nil, sanitize.Report{}, codec.Refuse(codec.InputDataInvalid, "not canonical base64")
		}
		clean, report, err := verb(value)
		if err != nil {
			return nil, report, err
		}
		return coding.AppendEncode(nil, clean), report, nil
	}
}

// eachElement runs a verb over the BYTES elements of a tensor and adds up their
// reports; the strongest action is that of the whole. Sanitising may make a value
// larger, so the sum is limited.
func eachElement(ctx context.Context, in tensor.Tensor, room int, verb func([]byte) ([]byte, sanitize.Report, error)) (tensor.Tensor, sanitize.Report, error) {
	n, err := tensor.Elements(in.Shape, int64(len(in.Data)))
	if err != nil {
		return tensor.Tensor{}, sanitize.Report{}, err
	}
	total := sanitize.Report{Action: sanitize.Unchanged}
	out := make([]byte, 0, len(in.Data))
	err = tensor.EachElement(in.Data, n, func(i int64, element []byte) error {
		if ctx.Err() != nil {
			return &sanitize.Refusal{Reason: sanitize.DeadlineExceeded, Detail: ctx.Err().Error()}
		}
		clean, report, err := verb(element)
		if err != nil {
			return &elementError{int(i), err}
		}
		if len(out)+4+len(clean) > room {
			return codec.Refuse(codec.BodyTooLarge, "sanitising makes the request too large")
		}
		total.Kind, total.Format, total.Action = report.Kind, report.Format, max(total.Action, report.Action)
		for _, r := range report.Removed {
			total.Remove(r.Where, r.Bytes)
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

// elementError is the error of one element of a tensor.
type elementError struct {
	index int
	err   error
}

func (e *elementError) Error() string { return fmt.Sprintf("element %d: %v", e.index, e.err) }
func (e *elementError) Unwrap() error { return e.err }

// refused turns the error of a sanitiser into a finding that blocks; false if
// the error is none of a value's but a fault.
func refused(err error) (policy.Finding, bool) {
	var (
		s *sanitize.Refusal
		c *codec.Refusal
	)
	switch {
	case errors.As(err, &s):
		return policy.Finding{Reason: policy.Reason(s.Reason), Detail: s.Detail, Action: policy.Block, Measured: measured(s.Excess, err)}, true
	case errors.As(err, &c):
		return policy.Finding{Reason: policy.Reason(c.Reason), Detail: c.Detail, Action: policy.Block}, true
	}
	return policy.Finding{}, false
}

// measured is by how much a value is over a limit, and which element of its input.
func measured(excess sanitize.Excess, err error) policy.Measured {
	if excess.Of == "" {
		return policy.Measured{}
	}
	m := policy.Measured{Of: excess.Of, Value: float64(excess.Value), Threshold: float64(excess.Limit)}
	var element *elementError
	if errors.As(err, &element) {
		m.Index = element.index
	}
	return m
}

func removed(report sanitize.Report) (bytes int) {
	for _, r := range report.Removed {
		bytes += r.Bytes
	}
	return bytes
}

// refusal is the error of a policy's verdict.
func refusal(reason policy.Reason, detail string) error {
	return &fault{Reason(reason), detail}
}

// reasonOf tells the reason and the detail of an error of any layer. What is
// none of the closed list is an internal error.
func reasonOf(err error) (Reason, string) {
	var (
		f *fault
		c *codec.Refusal
		s *sanitize.Refusal
	)
	switch {
	case errors.As(err, &f):
		return f.reason, f.detail
	case errors.As(err, &c):
		return Reason(c.Reason), c.Detail
	case errors.As(err, &s):
		return Reason(s.Reason), s.Detail
	default:
		return InternalError, err.Error()
	}
}

// Fault is the error of an exchange that the layer around the filter refuses.
func Fault(reason Reason, detail string) error { return &fault{reason, detail} }
