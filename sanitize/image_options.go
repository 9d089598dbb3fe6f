package sanitize

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/sanitize/internal/picture"
)

// Image profiles, from the weakest to the strongest.
const (
	ProfileStrip    = "strip"
	ProfileLight    = "light"
	ProfileStandard = "standard"
	ProfileStrong   = "strong"
	ProfileCustom   = "custom" // light with the steps of ImageOptions.Steps
)

// What becomes of the Exif orientation.
const (
	OrientationKeep  = "keep"
	OrientationApply = "apply" // the picture is turned, and the tag goes
	OrientationDrop  = "drop"
)

// How far a file is read.
const (
	VerifyDecode    = "decode"    // to the last entropy-coded symbol
	VerifyContainer = "container" // segments and chunks; image data is copied as it is
)

// What becomes of a file with several frames.
const (
	AnimationRefuse = "refuse"
	AnimationFirst  = "first" // the picture that a reader of still pictures shows stays
	AnimationKeep   = "keep"
)

// Formats that Image reads.
const (
	FormatJPEG = "jpeg"
	FormatPNG  = "png"
	FormatWebP = "webp"
	FormatGIF  = "gif"
	FormatTIFF = "tiff"
	FormatBMP  = "bmp"
)

// ImageLimits bound one image before anything is decoded. A field of 0 means its
// default.
type ImageLimits struct {
	MaxBytes         int   // bytes of the file
	MaxPixels        int64 // pixels over all frames
	MaxSide          int   // pixels of the longer side
	MaxSegments      int   // segments or chunks, but for image data chunks of 4 KiB and more
	MaxMetadataBytes int   // bytes of segments or chunks that are not picture
	MaxScans         int   // scans of one JPEG
	MaxFrames        int   // frames of an animation that stays
	MaxExpansion     int64 // decoded bytes for each byte of the file
	MaxDecodedBytes  int64 // memory that a profile with pixel steps may need; progressive JPEG and 16 bits cost more
}

// DefaultImageLimits returns 25 MiB, 40 megapixels, 16,384 pixels a side, 512
// segments, 16 MiB of metadata, 100 scans, 100 frames, 1,100 decoded bytes a byte and
// 1 GiB of decoded data.
func DefaultImageLimits() ImageLimits {
	return ImageLimits{
		MaxBytes:         25 << 20,
		MaxPixels:        40_000_000,
		MaxSide:          16_384,
		MaxSegments:      512,
		MaxMetadataBytes: 16 << 20,
		MaxScans:         100,
		MaxFrames:        100,
		MaxExpansion:     1100, // deflate alone reaches 1032
		MaxDecodedBytes:  1 << 30,
	}
}

// ImageOptions say how an image is sanitised. The zero value strips.
type ImageOptions struct {
	Profile         string   // "strip" (default), "light", "standard", "strong" or "custom"
	Steps           []Step   // of the profile custom
	Formats         []string // allow-list of the formats; nil: jpeg and png
	Orientation     string   // "keep" (default), "apply" or "drop"
	Verify          string   // "decode" (default) or "container"
	Animation       string   // "refuse" (default), "first" or "keep"
	ZeroTransparent bool     // colour under alpha 0, which nobody sees, becomes 0
	Limits          ImageLimits
	Memory          *Memory // that images at the same time share; nil: without a bound
	Key             *Key    // of keyed profiles (standard)
	Model           string  // name of the model, bound into the keyed draw
	Input           string  // name of its input, bound into the keyed draw
}

// Validate reports the first option that is not valid.
func (o ImageOptions) Validate() error {
	if err := checkSteps("image", o.Profile, o.Steps, o.Key); err != nil {
		return err
	}
	switch {
	case o.Animation == AnimationKeep && o.changesPixels():
		return fmt.Errorf("sanitize: image profile %q writes one frame; animation %q needs the profile %s", o.Profile, o.Animation, ProfileStrip)
	case o.Animation == AnimationKeep && o.Orientation == OrientationApply:
		return fmt.Errorf("sanitize: orientation %q writes one frame; animation %q cannot go with it", o.Orientation, o.Animation)
	case o.Formats != nil && len(o.Formats) == 0:
		return fmt.Errorf("sanitize: an empty list of image formats; leave it out to allow jpeg and png")
	}
	for _, f := range o.Formats {
		if _, ok := codecs[f]; !ok {
			return fmt.Errorf("sanitize: image format %q; known are %s", f, strings.Join(ImageFormats(), ", "))
		}
	}
	for _, choice := range []struct {
		of, value string
		among     []string
	}{
		{"orientation", o.Orientation, []string{OrientationKeep, OrientationApply, OrientationDrop}},
		{"verify", o.Verify, []string{VerifyDecode, VerifyContainer}},
		{"animation", o.Animation, []string{AnimationRefuse, AnimationFirst, AnimationKeep}},
	} {
		if choice.value != "" && !slices.Contains(choice.among, choice.value) {
			return fmt.Errorf("sanitize: %s %q; known are %s", choice.of, choice.value, strings.Join(choice.among, ", "))
		}
	}
	return o.Limits.validate()
}

// ImageProfiles lists the profiles, from the weakest to the strongest, and custom last.
func ImageProfiles() []string {
	return []string{ProfileStrip, ProfileLight, ProfileStandard, ProfileStrong, ProfileCustom}
}

// ImageFormats lists the formats that Image reads, in alphabetical order.
func ImageFormats() []string { return slices.Sorted(maps.Keys(codecs)) }

func (l ImageLimits) validate() error {
	for _, v := range []int64{int64(l.MaxBytes), l.MaxPixels, int64(l.MaxSide), int64(l.MaxSegments),
		int64(l.MaxMetadataBytes), int64(l.MaxScans), int64(l.MaxFrames), l.MaxExpansion, l.MaxDecodedBytes} {
		if v < 0 {
			return fmt.Errorf("sanitize: an image limit of %d", v)
		}
	}
	return nil
}

// orDefaults fills the fields that are 0.
func (l ImageLimits) orDefaults() ImageLimits {
	d := DefaultImageLimits()
	return ImageLimits{
		MaxBytes:         orDefault(l.MaxBytes, d.MaxBytes),
		MaxPixels:        orDefault(l.MaxPixels, d.MaxPixels),
		MaxSide:          orDefault(l.MaxSide, d.MaxSide),
		MaxSegments:      orDefault(l.MaxSegments, d.MaxSegments),
		MaxMetadataBytes: orDefault(l.MaxMetadataBytes, d.MaxMetadataBytes),
		MaxScans:         orDefault(l.MaxScans, d.MaxScans),
		MaxFrames:        orDefault(l.MaxFrames, d.MaxFrames),
		MaxExpansion:     orDefault(l.MaxExpansion, d.MaxExpansion),
		MaxDecodedBytes:  orDefault(l.MaxDecodedBytes, d.MaxDecodedBytes),
	}
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// walk returns the options of the walkers.
func (o ImageOptions) walk() picture.Options {
	l := o.Limits.orDefaults()
	animation := picture.RefuseAnimation
	switch o.Animation {
	case AnimationFirst:
		animation = picture.FirstFrame
	case AnimationKeep:
		animation = picture.KeepAnimation
	}
	return picture.Options{
		Limits: picture.Limits{MaxPixels: l.MaxPixels, MaxSide: l.MaxSide, MaxSegments: l.MaxSegments,
			MaxMetadataBytes: l.MaxMetadataBytes, MaxScans: l.MaxScans, MaxFrames: l.MaxFrames, MaxExpansion: l.MaxExpansion},
		DropOrientation: o.Orientation == OrientationDrop,
		ZeroTransparent: o.ZeroTransparent,
		ContainerOnly:   o.Verify == VerifyContainer,
		Animation:       animation,
	}
}
