// Package sanitize removes what is not content from one value: a file of an
// image, a text, a tensor. Its verbs are Image, Pixels, Text and Tensor; each returns
// the bytes that Weir itself wrote, a Report of what was removed, or a *Refusal.
//
// The package knows no protocol and keeps no state. Every verb is deterministic:
// equal inputs, options and keys give equal outputs.
package sanitize

import (
	"fmt"
	"slices"
)

// Action says what became of a value. The zero value is Rejected.
type Action uint8

// The actions of a Report.
const (
	Rejected     Action = iota // refused; there is no output
	Unchanged                  // the output equals the input
	Stripped                   // something that was not content is gone
	Renormalised               // the content itself was re-encoded or changed
)

var actionNames = [...]string{"rejected", "unchanged", "stripped", "renormalised"}

// String returns the name that reports and logs use.
func (a Action) String() string {
	if int(a) >= len(actionNames) {
		return actionNames[Rejected]
	}
	return actionNames[a]
}

// MarshalText writes the name of the action.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Removal is one thing that was taken out: where it stood, in the words of the
// format ("APP1 Exif", "tEXt", "U+200B"), and how many bytes it held.
type Removal struct {
	Where string `json:"where"`
	Bytes int    `json:"bytes"`
}

// Report says what a verb did. It never holds content.
type Report struct {
	Kind    string // "image", "text", "tensor"
	Format  string // "jpeg", "png", "utf-8", "FP32"…
	Action  Action
	Removed []Removal // in the order of the input; equal places are added up
}

// Remove adds n bytes that stood at where, adding up equal places.
func (r *Report) Remove(where string, n int) {
	i := slices.IndexFunc(r.Removed, func(x Removal) bool { return x.Where == where })
	if i < 0 {
		r.Removed = append(r.Removed, Removal{Where: where, Bytes: n})
		return
	}
	r.Removed[i].Bytes += n
}

// Reason is a code of the closed list of causes for which a value is refused.
type Reason string

// The reasons of this package.
const (
	ImageTooLarge         Reason = "image_too_large"          // more bytes than the limit
	ImageTooManyPixels    Reason = "image_too_many_pixels"    // more pixels, or a longer side
	ImageFormatNotAllowed Reason = "image_format_not_allowed" // a known format off the list
	ImageFormatUnknown    Reason = "image_format_unknown"     // no format that Weir reads
	ImageMalformed        Reason = "image_malformed"          // not decodable, or ambiguous
	ImageTruncated        Reason = "image_truncated"          // ends before its end marker
	ImageTooManyFrames    Reason = "image_too_many_frames"    // animation or several pictures
	ImageTooManySegments  Reason = "image_too_many_segments"  // segments, scans or metadata over the limit
	ImageExpands          Reason = "image_expands"            // decodes to more than the limit for its bytes
	ImageUnsupported      Reason = "image_unsupported"        // a valid form of the format that Weir does not read
	TextInvalidUTF8       Reason = "text_invalid_utf8"
	TextTooLong           Reason = "text_too_long"
	TextBidiOverride      Reason = "text_bidi_override" // order of the letters is forged
	TextHoldsImage        Reason = "text_holds_image"   // a file, or its base64, where there should be text
	TensorDataType        Reason = "tensor_datatype"
	TensorShape           Reason = "tensor_shape"
	TensorRange           Reason = "tensor_range"
	TensorNotFinite       Reason = "tensor_not_finite"
	TensorHoldsImage      Reason = "tensor_holds_image" // a file where there should be numbers
	KindNotSupported      Reason = "kind_not_supported" // neither an image nor a text
	DeadlineExceeded      Reason = "sanitise_deadline"
	Panicked              Reason = "sanitiser_panic"
)

// Reasons lists the closed list of this package.
func Reasons() []Reason {
	return []Reason{ImageTooLarge, ImageTooManyPixels, ImageFormatNotAllowed, ImageFormatUnknown,
		ImageMalformed, ImageTruncated, ImageTooManyFrames, ImageTooManySegments,
		ImageExpands, ImageUnsupported, TextInvalidUTF8, TextTooLong, TextBidiOverride, TextHoldsImage,
		TensorDataType, TensorShape, TensorRange, TensorNotFinite, TensorHoldsImage, KindNotSupported,
		DeadlineExceeded, Panicked}
}

// Limit reports whether the reason is a limit of size or count, which holds
// whatever else is switched off.
func (r Reason) Limit() bool {
	switch r {
	case ImageTooLarge, ImageTooManyPixels, ImageTooManyFrames, ImageTooManySegments, ImageExpands, TextTooLong:
		return true
	}
	return false
}

// Refusal is the error of a value that is not let through.
type Refusal struct {
	Reason Reason
	Detail string // for the operator; may name sizes and places, never content
	Excess Excess // of a value that is over a limit
}

// Excess is a size or count that is over its limit. Of what is counted while a
// value is read, Value is the count at which the reading stopped.
type Excess struct {
	Of    string // "bytes", "pixels", "segments"; "" for none
	Value int64
	Limit int64
}

// Error returns the reason and the detail.
func (r *Refusal) Error() string { return string(r.Reason) + ": " + r.Detail }

func refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// tooLong refuses a value of n bytes.
func tooLong(reason Reason, n, limit int, format string) *Refusal {
	r := refuse(reason, format, n, limit)
	r.Excess = Excess{Of: "bytes", Value: int64(n), Limit: int64(limit)}
	return r
}
