package sanitize

import (
	"bytes"
	"context"
	"errors"
	"runtime/debug"
	"slices"

	"weir/sanitize/internal/picture"
)

// Image sanitises the file of an image. The format is found by content.
// What is over a limit, not on the list of formats, damaged, or read differently by
// different decoders is refused.
//
// The profile strip, the default, is lossless: it removes whatever is not picture
// and leaves the samples that a decoder delivers as they are; a stripped file that
// is stripped again is byte for byte the same. The orientation stays, as the one
// tag of a minimal Exif block, since some readers turn the picture by it and others
// do not. The packages internal/jpeg, internal/png and so on list what goes and stays.
//
// The profile light is strip, and then the picture is decoded and encoded anew in its
// format: JPEG with the quality of the source held to 92 to 97, and the subsampling,
// or the red, green and blue, of the source; PNG with new filters and compression;
// WebP without loss; GIF as one frame. It takes with it what hides in the choices of
// an encoder. The samples of formats without loss stay.
//
// The profiles standard and strong are light with the steps of ProfileSteps, and
// custom is light with those of the options. What is random in them is drawn by the
// key over its epoch, the step, the names of model and input, and a digest of the
// picture (mean luma of 8 × 8 cells in 4 bits): equal pictures, and mostly nearly
// equal ones, get equal draws, so a sender can neither foresee a draw nor repeat it
// at will. Steps work on the planes of JPEG and on the true colours of all others:
// palettes become colours, grey stays grey, samples keep 8 or 16 bits, and alpha
// stays. JPEG files with four components are refused, because they cannot be encoded
// anew without changing their colours.
//
// The orientation apply turns the picture, in any profile, and drops the tag. It is
// lossless but for JPEG, which is encoded anew as in light.
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
	// What was dropped must not have made a bomb look larger than it is: the result would
	// be refused in its turn.
	if err := o.walk().Limits.CheckExpansion(stripped.Decoded, int64(len(stripped.Data))); err != nil {
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
	switch _, read := codecs[format]; {
	case format == "":
		return refuse(ImageFormatUnknown, "%d bytes that begin like no known image format", len(data))
	case !read:
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
