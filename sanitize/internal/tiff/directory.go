package tiff

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"weir/sanitize/internal/picture"
)

// Tags that are read (TIFF 6.0 §8).
const (
	tagWidth           = 256
	tagLength          = 257
	tagBits            = 258
	tagCompression     = 259
	tagPhotometric     = 262
	tagFillOrder       = 266
	tagStripOffsets    = 273
	tagOrientation     = 274
	tagSamples         = 277
	tagRowsPerStrip    = 278
	tagStripByteCounts = 279
	tagMinSample       = 280
	tagMaxSample       = 281
	tagPlanar          = 284
	tagT4Options       = 292
	tagT6Options       = 293
	tagPredictor       = 317
	tagColourMap       = 320
	tagTileWidth       = 322
	tagTileLength      = 323
	tagTileOffsets     = 324
	tagTileByteCounts  = 325
	tagExtraSamples    = 338
	tagSampleFormat    = 339
	tagSMinSample      = 340
	tagSMaxSample      = 341
	tagXMP             = 700
	tagDataType        = 32996
	tagImageDepth      = 32997
	tagTileDepth       = 32998
)

const (
	typeASCII     = 2
	typeShort     = 3
	typeLong      = 4
	typeUndefined = 7
	typeDouble    = 12
)

// typeSize is the number of bytes of one value, by TIFF type; 0 is no type.
var typeSize = [...]uint64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4}

const maxEntries = 512

// field is an entry of the directory.
type field struct {
	tag, typ uint16
	count    uint64
	value    []byte // aliases the file; empty if the type is none
}

// span is a range of bytes of the file that something refers to.
type span struct{ from, to int }

// directory is the first IFD.
type directory struct {
	data   []byte
	order  binary.ByteOrder
	fields []field
	next   uint32 // offset of the next one; 0 for none
	spans  []span
}

// readDirectory walks the first directory within bounds.
func readDirectory(data []byte, o picture.Options) (*directory, error) {
	d := &directory{data: data}
	if len(data) < 4 {
		return nil, picture.Errorf(picture.Malformed, "no TIFF signature")
	}
	switch string(data[:4]) {
	case "II*\x00":
		d.order = binary.LittleEndian
	case "MM\x00*":
		d.order = binary.BigEndian
	case "II+\x00", "MM\x00+":
		return nil, picture.Errorf(picture.Unsupported, "BigTIFF")
	default:
		return nil, picture.Errorf(picture.Malformed, "no TIFF signature")
	}
	if len(data) < 8 {
		return nil, picture.Errorf(picture.Truncated, "ends in the header")
	}
	at, size := uint64(d.order.Uint32(data[4:])), uint64(len(data))
	if at < 8 || at+2 > size {
		return nil, picture.Errorf(picture.Truncated, "no directory at %d", at)
	}
	n := uint64(d.order.Uint16(data[at:]))
	if n == 0 || n > maxEntries {
		return nil, picture.Errorf(picture.Malformed, "a directory of %d entries", n)
	}
	end := at + 2 + 12*n
	if end+4 > size {
		return nil, picture.Errorf(picture.Truncated, "ends in the directory")
	}
	d.refer(0, 8)
	d.refer(at, end+4-at)
	for i := range n {
		if err := d.readField(data[at+2+12*i:]); err != nil {
			return nil, err
		}
	}
	d.next = d.order.Uint32(data[end:])
	if d.next != 0 && o.Animation != picture.FirstFrame {
		if o.Animation == picture.KeepAnimation {
			return nil, picture.Errorf(picture.Unsupported, "several pages")
		}
		return nil, picture.Errorf(picture.TooManyFrames, "several pages")
	}
	return d, nil
}

// refer notes that bytes are referred to.
func (d *directory) refer(from, n uint64) {
	d.spans = append(d.spans, span{int(from), int(from + n)})
}

// readField reads an entry. Tags must ascend: Go insists on it, others go on.
func (d *directory) readField(p []byte) error {
	f := field{tag: d.order.Uint16(p), typ: d.order.Uint16(p[2:]), count: uint64(d.order.Uint32(p[4:]))}
	if n := len(d.fields); n > 0 && f.tag <= d.fields[n-1].tag {
		return picture.Errorf(picture.Malformed, "tags out of order")
	}
	size := uint64(0)
	if int(f.typ) < len(typeSize) {
		size = typeSize[f.typ] * f.count
	}
	if size <= 4 {
		f.value = p[8 : 8+size]
	} else {
		from := uint64(d.order.Uint32(p[8:]))
		if from+size > uint64(len(d.data)) { // Pillow reads no tag behind this one
			return picture.Errorf(picture.Truncated, "the value of a tag lies outside the file")
		}
		f.value = d.data[from : from+size]
		d.refer(from, size)
	}
	d.fields = append(d.fields, f)
	return nil
}

// find returns the entry of a tag, or nil.
func (d *directory) find(tag uint16) *field {
	i, ok := slices.BinarySearchFunc(d.fields, tag, func(f field, tag uint16) int { return cmp.Compare(f.tag, tag) })
	if !ok {
		return nil
	}
	return &d.fields[i]
}

// numbers returns the values of a tag, SHORT or LONG, of which there must be as many;
// nil if there is no such tag.
func (d *directory) numbers(tag uint16, count uint64) ([]uint32, error) {
	f := d.find(tag)
	if f == nil {
		return nil, nil
	}
	if f.typ != typeShort && f.typ != typeLong || f.count != count {
		return nil, picture.Errorf(picture.Malformed, "tag %d has a wrong type or count", tag)
	}
	out := make([]uint32, count)
	for i := range out {
		if f.typ == typeShort {
			out[i] = uint32(d.order.Uint16(f.value[2*i:]))
		} else {
			out[i] = d.order.Uint32(f.value[4*i:])
		}
	}
	return out, nil
}

// number returns the value of a tag, or fallback.
func (d *directory) number(tag uint16, fallback int64) (int64, error) {
	v, err := d.numbers(tag, 1)
	if v == nil || err != nil {
		return fallback, err
	}
	return int64(v[0]), nil
}

// same returns the value that all of a tag's are, or fallback.
func (d *directory) same(tag uint16, count uint64, fallback int64) (int64, error) {
	v, err := d.numbers(tag, count)
	if v == nil || err != nil {
		return fallback, err
	}
	for _, x := range v {
		if x != v[0] {
			return 0, picture.Errorf(picture.Unsupported, "tag %d differs between samples", tag)
		}
	}
	return int64(v[0]), nil
}

// checkRanges refuses tags on the range and type of samples, which decide nothing here,
// where libtiff gives the file up for them: a number of each sample, or one for all.
func (d *directory) checkRanges(samples uint64) error {
	for _, tag := range []uint16{tagMinSample, tagMaxSample, tagDataType} {
		f := d.find(tag)
		if f == nil {
			continue
		}
		n := samples
		if f.count == 1 {
			n = 1
		}
		v, err := d.same(tag, n, 0)
		if err != nil {
			return err
		}
		if v > 1<<16-1 || tag == tagDataType && v != 2 { // 2 says unsigned integers
			return picture.Errorf(picture.Unsupported, "tag %d of %d", tag, v)
		}
	}
	for _, tag := range []uint16{tagSMinSample, tagSMaxSample} {
		f := d.find(tag)
		if f == nil {
			continue
		}
		if f.typ == typeASCII || f.typ == typeUndefined || f.typ > typeDouble || f.count < samples || len(f.value) == 0 {
			return picture.Errorf(picture.Malformed, "tag %d has a wrong type or count", tag)
		}
	}
	return nil
}

// orientation returns what turns the picture: 2 to 8, or 0. Pillow takes it from the
// XMP when the tag is missing.
func (d *directory) orientation() (uint8, error) {
	v, err := d.number(tagOrientation, 0)
	if err != nil {
		return 0, err
	}
	if xmp := d.find(tagXMP); xmp != nil && d.find(tagOrientation) == nil && bytes.Contains(xmp.value, []byte("rientation")) {
		return 0, picture.Errorf(picture.Unsupported, "an orientation that only the XMP tells")
	}
	if v >= 2 && v <= 8 {
		return uint8(v), nil
	}
	return 0, nil
}

// kept are the tags that are written, or of which the form is read.
var kept = map[uint16]bool{tagWidth: true, tagLength: true, tagBits: true, tagCompression: true, tagPhotometric: true,
	tagFillOrder: true, tagStripOffsets: true, tagSamples: true, tagRowsPerStrip: true,
	tagStripByteCounts: true, tagPlanar: true, tagPredictor: true, tagColourMap: true, tagTileWidth: true, tagTileLength: true,
	tagTileOffsets: true, tagTileByteCounts: true, tagExtraSamples: true, tagSampleFormat: true}

// names are the tags that a report calls by name.
var names = map[uint16]string{254: "NewSubfileType", 255: "SubfileType", 269: "DocumentName", 270: "ImageDescription",
	271: "Make", 272: "Model", 280: "MinSampleValue", 281: "MaxSampleValue", 282: "XResolution", 283: "YResolution",
	285: "PageName", 290: "GrayResponseUnit", 291: "GrayResponseCurve", 296: "ResolutionUnit", 297: "PageNumber",
	301: "TransferFunction", 305: "Software", 306: "DateTime", 315: "Artist", 316: "HostComputer", 318: "WhitePoint",
	319: "PrimaryChromaticities", 330: "SubIFDs", 333: "InkNames", 337: "TargetPrinter", 347: "JPEGTables", 529: "YCbCrCoefficients",
	530: "YCbCrSubSampling", 531: "YCbCrPositioning", 532: "ReferenceBlackWhite", 700: "XMP", 33432: "Copyright",
	33723: "IPTC", 34377: "Photoshop", 34665: "Exif", 34675: "ICC profile", 34853: "GPS", 37724: "ImageSourceData",
	42112: "GDAL metadata", 42113: "GDAL nodata", 52545: "C2PA", tagOrientation: "Orientation"}

// report notes the tags that go, and counts them against the limits.
func (d *directory) report(o picture.Options, result *picture.Stripped) error {
	budget := picture.NewBudget(o.Limits)
	orientation, err := d.orientation()
	if err != nil {
		return err
	}
	for _, f := range d.fields {
		if kept[f.tag] || f.tag == tagOrientation && orientation != 0 && !o.DropOrientation {
			continue
		}
		name, ok := names[f.tag]
		if !ok {
			name = "private tag"
		}
		n := 12
		if len(f.value) > 4 {
			n += len(f.value)
		}
		result.Remove(name, n)
		if err := budget.Segment(); err != nil {
			return err
		}
		if err := budget.Metadata(n); err != nil {
			return err
		}
	}
	if d.next != 0 {
		result.Remove("further pages", 4) // what they hold is unreferenced
	}
	return nil
}

// unreferenced is the number of bytes that no entry refers to.
func (d *directory) unreferenced() int {
	slices.SortFunc(d.spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	n, end := len(d.data), 0
	for _, s := range d.spans {
		if s.to > end {
			n -= s.to - max(end, s.from)
			end = s.to
		}
	}
	return n
}
