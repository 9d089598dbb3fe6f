// Package picture holds the words that the walkers of all image formats share:
// the limits of one file, what a walker found, and why it refuses.
package picture

import (
	"context"
	"fmt"
	"io"
	"slices"
)

// Limits bound one file. They are checked on the header, before anything is decoded.
type Limits struct {
	MaxPixels        int64 // width × height, added up over all frames
	MaxSide          int   // pixels
	MaxSegments      int   // segments, chunks and fill-byte runs
	MaxMetadataBytes int   // bytes in segments or chunks that are not picture
	MaxScans         int   // scans of one JPEG
	MaxFrames        int   // frames of an animation that may stay; 0 means 1
	MaxExpansion     int64 // decoded bytes for each byte of the file; 0: no limit
}

// Animation says what becomes of a file with several frames. The zero value
// refuses it.
type Animation uint8

// What becomes of an animation.
const (
	RefuseAnimation Animation = iota
	FirstFrame                // the picture that a reader of still pictures shows
	KeepAnimation
)

// Options say how a file is stripped. The zero value of each is the strict one.
type Options struct {
	Limits          Limits
	DropOrientation bool
	ZeroTransparent bool // colour under alpha 0 becomes 0
	ContainerOnly   bool // the entropy-coded data is copied without a walk
	Animation       Animation
}

// Info is what the header declares.
type Info struct {
	Width, Height int // pixels
	Frames        int // 0 stands for 1
	Channels      int // samples a pixel as stored; 1 for a palette
	Depth         int // bits a sample
	Palette       bool
	Alpha         bool // an alpha channel, or a transparent colour
	Progressive   bool
	Quality       int // JPEG: 1 to 100, estimated from the luma table; else 0
}

// Removal is one thing that a walker left out.
type Removal struct {
	Where string
	Bytes int
}

// Stripped is the outcome of a walk.
type Stripped struct {
	Data        []byte // newly allocated; never aliases the input
	Info        Info
	Orientation uint8 // Exif orientation that Data carries: 0 for none, 2 to 8
	Decoded     int64 // bytes that MaxExpansion was held against; 0 where Data is never denser than the source
	Removed     []Removal
}

// Remove notes n bytes at where, unless there were none. Equal places are added up:
// a file may hide a byte in each of millions of restart intervals.
func (s *Stripped) Remove(where string, n int) {
	if n <= 0 {
		return
	}
	i := slices.IndexFunc(s.Removed, func(r Removal) bool { return r.Where == where })
	if i < 0 {
		s.Removed = append(s.Removed, Removal{Where: where, Bytes: n})
		return
	}
	s.Removed[i].Bytes += n
}

// Fault is the kind of an Error. The zero value is Malformed.
type Fault uint8

// The faults of a file.
const (
	Malformed       Fault = iota // against the format, or read differently by different decoders
	Truncated                    // ends before its end marker
	Unsupported                  // a form of the format that is not read here
	TooManyPixels                // more pixels, or a longer side, than the limit
	TooManyFrames                // more than one picture
	TooManySegments              // more segments, scans or metadata than the limit
	Expands                      // decodes to more than the limit for its bytes
)

// Error is the refusal of a file. Detail names places and sizes, never content.
type Error struct {
	Fault  Fault
	Detail string
	Excess Excess // of a file that is over a limit
}

// Excess is a size or count that is over its limit. Of what is counted while a
// file is read, Value is the count at which the reading stopped.
type Excess struct {
	Of    string // "pixels", "segments"; "" for none
	Value int64
	Limit int64
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

// Errorf makes an Error.
func Errorf(f Fault, format string, args ...any) *Error {
	return &Error{Fault: f, Detail: fmt.Sprintf(format, args...)}
}

// Over makes an Error of a size or count over its limit.
func Over(f Fault, of string, value, limit int64, format string, args ...any) *Error {
	e := Errorf(f, format, args...)
	e.Excess = Excess{Of: of, Value: value, Limit: limit}
	return e
}

// CheckSize holds the declared size against the limits.
func (l Limits) CheckSize(width, height int64) error {
	switch {
	case width == 0 || height == 0:
		return Errorf(Malformed, "empty picture: %d × %d pixels", width, height)
	case width > int64(l.MaxSide) || height > int64(l.MaxSide):
		return Over(TooManyPixels, "pixels a side", max(width, height), int64(l.MaxSide),
			"%d × %d pixels; the longest side may be %d", width, height, l.MaxSide)
	case width*height > l.MaxPixels:
		return Over(TooManyPixels, "pixels", width*height, l.MaxPixels, "%d × %d pixels; the limit is %d", width, height, l.MaxPixels)
	}
	return nil
}

// CheckExpansion holds the decoded size in bytes against the size of the file.
func (l Limits) CheckExpansion(decoded, file int64) error {
	if l.MaxExpansion > 0 && decoded > l.MaxExpansion*max(file, 1) {
		return Over(Expands, "decoded bytes a byte", decoded/max(file, 1), l.MaxExpansion,
			"%d bytes decode to %d; the limit is %d times", file, decoded, l.MaxExpansion)
	}
	return nil
}

// Budget counts segments and metadata against the limits while a walker runs.
type Budget struct {
	limits             Limits
	segments, metadata int
}

// NewBudget returns an untouched budget.
func NewBudget(l Limits) *Budget { return &Budget{limits: l} }

// Segment counts one segment or chunk.
func (b *Budget) Segment() error {
	b.segments++
	if b.segments > b.limits.MaxSegments {
		return Over(TooManySegments, "segments", int64(b.segments), int64(b.limits.MaxSegments), "more than %d segments", b.limits.MaxSegments)
	}
	return nil
}

// Metadata counts n bytes of a segment that is not picture.
func (b *Budget) Metadata(n int) error {
	b.metadata += n
	if b.metadata > b.limits.MaxMetadataBytes {
		return Over(TooManySegments, "bytes of metadata", int64(b.metadata), int64(b.limits.MaxMetadataBytes),
			"more than %d bytes of metadata", b.limits.MaxMetadataBytes)
	}
	return nil
}

// Checkpoint returns the error of a context that has ended.
func Checkpoint(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped: %w", err)
	}
	return nil
}

// Reader returns a reader that fails once the context has ended, and with it the
// decoder that reads from it.
func Reader(ctx context.Context, r io.Reader) io.Reader { return &reader{ctx, r} }

type reader struct {
	ctx context.Context
	r   io.Reader
}

func (d *reader) Read(p []byte) (int, error) {
	if err := Checkpoint(d.ctx); err != nil {
		return 0, err
	}
	return d.r.Read(p)
}
