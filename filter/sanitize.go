package filter

import (
	"errors"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize"
)

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

// limits reports whether an error is that of a limit that a value is over as it came,
// which holds in shadow mode, too. A text may be so only in its normal form.
func limits(err error) bool {
	var (
		s       *sanitize.Refusal
		element *elementError
	)
	if !errors.As(err, &s) || !s.Reason.Limit() {
		return false
	}
	return s.Reason != sanitize.TextTooLong || !errors.As(err, &element) || int64(element.bytes) > s.Excess.Limit
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
