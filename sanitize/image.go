package sanitize

import (
	"bytes"
	"context"
	"errors"
	"runtime/debug"
	"slices"

	"weir/sanitize/internal/picture"
)

// Image sanitises the file of a JPEG or PNG image. The format is found by content.
// What is over a limit, not on the list of formats, damaged, or read differently by
// different decoders is refused.
//
// The profile strip, the default, is lossless: it removes whatever is not picture
// and leaves the samples that a decoder delivers as they are; a stripped file that
// is stripped again is byte for byte the same. The orientation stays, as the one
// tag of a minimal Exif block, since some readers turn the picture by it and others
// do not. The packages internal/jpeg and internal/png list what goes and what stays.
//
// The profile light is strip, and then the picture is encoded anew: JPEG with the
// quality of the source held to 92 to 97 and chroma subsampled 4:2:0, PNG with new
// filters and compression and the same samples. It takes with it what hides in the
// choices of an encoder.
//
// The profile standard is light with a crop of a few per cent a side, resized back
// with a linear filter. The margins are drawn by the key over its epoch, the names
// of model and input, and a digest of the picture (mean luma of 8 × 8 cells in 4
// bits): equal pictures, and mostly nearly equal ones, get equal margins, so a
// sender can neither foresee a draw nor repeat it at will. Each margin is, by the
// shorter side of the picture in pixels:
//
//	96 and more   3 to 8 %
//	48 to 95      1 to 2.5 %, at least one pixel
//	below 48      none: standard does what light does
//
// Palettes become true colour in this profile, grey stays grey, and samples keep 8
// or 16 bits; alpha stays. JPEG files with four components are refused by light and
// standard, because they cannot be encoded anew without changing their colours.
//
// The result is newly allocated. The error is a *Refusal, or says what is wrong
// with the options. Image does not panic; it ends soon after ctx does.
func Image(ctx context.Context, data []byte, o ImageOptions) (out []byte, report Report, err error) {
	report = Report{Kind: "image", Format: SniffImage(data)}
	if err := o.Validate(); err != nil {
		return nil, report, err
	}
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, refuse(Panicked, "image: %v\n%s", p, debug.Stack())
		}
		if err != nil {
			report.Action, report.Removed = Rejected, nil
		}
	}()
	if err := admitImage(data, report.Format, o); err != nil {
		return nil, report, err
	}
	if err := picture.Checkpoint(ctx); err != nil {
		return nil, report, imageRefusal(err)
	}
	stripped, err := codecs[report.Format].strip(ctx, data, o.walk())
	if err != nil {
		return nil, report, imageRefusal(err)
	}
	out = stripped.Data
	for _, r := range stripped.Removed {
		report.Remove(r.Where, r.Bytes)
	}
	if o.changesPixels() || o.turns(stripped) {
		if out, err = renormalise(ctx, stripped, report.Format, o); err != nil {
			return nil, report, imageRefusal(err)
		}
	}
	report.Action = imageAction(data, out, o.changesPixels() || o.turns(stripped))
	if report.Action == Stripped && len(report.Removed) == 0 {
		// Tables or image data were grouped in another way than Weir writes them.
		report.Removed = []Removal{{Where: "framing", Bytes: max(0, len(data)-len(out))}}
	}
	return out, report, nil
}

// admitImage applies what needs no parsing.
func admitImage(data []byte, format string, o ImageOptions) error {
	if limit := o.Limits.orDefaults().MaxBytes; len(data) > limit {
		return tooLong(ImageTooLarge, len(data), limit, "%d bytes; the limit is %d")
	}
	allowed := o.Formats
	if allowed == nil {
		allowed = []string{FormatJPEG, FormatPNG}
	}
	switch {
	case format == "":
		return refuse(ImageFormatUnknown, "%d bytes that begin like no known image format", len(data))
	case format == "avif" || format == "heic":
		return refuse(ImageFormatNotAllowed, "%s, which Weir does not read; convert it to JPEG or PNG", format)
	case !slices.Contains(allowed, format):
		return refuse(ImageFormatNotAllowed, "%s; allowed are %v", format, allowed)
	}
	return nil
}

func imageAction(in, out []byte, renormalised bool) Action {
	switch {
	case bytes.Equal(in, out):
		return Unchanged
	case renormalised:
		return Renormalised
	}
	return Stripped
}

var imageReasons = map[picture.Fault]Reason{
	picture.Malformed:       ImageMalformed,
	picture.Truncated:       ImageTruncated,
	picture.Unsupported:     ImageUnsupported,
	picture.TooManyPixels:   ImageTooManyPixels,
	picture.TooManyFrames:   ImageTooManyFrames,
	picture.TooManySegments: ImageTooManySegments,
	picture.Expands:         ImageExpands,
}

// imageRefusal gives an error of the walkers or of the pixel steps its reason.
func imageRefusal(err error) *Refusal {
	var fault *picture.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refuse(DeadlineExceeded, "%v", err)
	case errors.As(err, &fault):
		return &Refusal{Reason: imageReasons[fault.Fault], Detail: fault.Detail, Excess: Excess(fault.Excess)}
	}
	// The walker has found the file well-formed, so this is a limit of the decoder.
	return refuse(ImageUnsupported, "%v", err)
}
