package jpeg

import (
	"bytes"
	"slices"
	"testing"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/walktest"
)

// edited is a file under edit. Each step must find what it changes.
type edited struct {
	t    *testing.T
	data []byte
}

func edit(t *testing.T, name string) *edited {
	t.Helper()
	return &edited{t, slices.Clone(sources(t)[name])}
}

func (e *edited) at(marker byte) int {
	e.t.Helper()
	at := bytes.Index(e.data, []byte{0xFF, marker})
	if at < 0 {
		e.t.Fatalf("no marker %02X", marker)
	}
	return at
}

// without drops the first segment of a marker.
func (e *edited) without(marker byte) *edited {
	e.t.Helper()
	at := e.at(marker)
	n := 2 + int(e.data[at+2])<<8 + int(e.data[at+3])
	e.data = slices.Delete(e.data, at, at+n)
	return e
}

// insert puts a segment before the first of a marker.
func (e *edited) insert(before, marker byte, payload string) *edited {
	e.t.Helper()
	at := e.at(before)
	n := len(payload) + 2
	e.data = slices.Insert(e.data, at, append([]byte{0xFF, marker, byte(n >> 8), byte(n)}, payload...)...)
	return e
}

// set changes bytes of the first segment of a marker, counted from its payload.
func (e *edited) set(marker byte, offset int, values ...byte) *edited {
	e.t.Helper()
	copy(e.data[e.at(marker)+4+offset:], values)
	return e
}

// identifiers names the components in SOF and in the first SOS.
func (e *edited) identifiers(ids string) *edited {
	e.t.Helper()
	for i, id := range []byte(ids) {
		e.set(mSOF0, 6+3*i, id).set(mSOS, 1+2*i, id)
	}
	return e
}

// withoutLastScan ends the file before its last scan.
func (e *edited) withoutLastScan() *edited {
	e.data = append(e.data[:bytes.LastIndex(e.data, []byte{0xFF, mSOS})], 0xFF, mEOI)
	return e
}

const adobeYCC = "Adobe\x00\x64\x00\x00\x00\x00\x01"
const adobeRGB = "Adobe\x00\x64\x00\x00\x00\x00\x00"

// TestReadDifferently holds that what libjpeg and Go show differently is refused, and
// that what looks like it and is not passes.
func TestReadDifferently(t *testing.T) {
	const passes = picture.Fault(255)
	for _, test := range []struct {
		name string
		in   *edited
		want picture.Fault
	}{
		{"progressive without its last scan", edit(t, "progressive.jpg").withoutLastScan(), picture.Truncated},
		{"DNL", edit(t, "baseline420.jpg").insert(mSOS, mDNL, "\x00\x2D"), picture.Unsupported},
		{"steps of 255", edit(t, "baseline444.jpg").set(mDQT, 1, bytes.Repeat([]byte{255}, 64)...), picture.Malformed},
		{"progressive steps of 255", edit(t, "progressive.jpg").set(mDQT, 1, bytes.Repeat([]byte{255}, 64)...), picture.Malformed},
		{"steps of 0", edit(t, "baseline444.jpg").set(mDQT, 1, make([]byte, 64)...), passes},
		{"chroma larger than luma", edit(t, "baseline420.jpg").set(mSOF0, 7, 0x11).set(mSOF0, 10, 0x22), picture.Unsupported},
		{"chroma of two sizes", edit(t, "baseline420.jpg").set(mSOF0, 10, 0x21), picture.Unsupported},
		{"luma 4 rows high", edit(t, "baseline420.jpg").set(mSOF0, 7, 0x14), picture.Unsupported},
		{"four components without APP14", edit(t, "cmyk.jpg").without(mAPP14), picture.Unsupported},
		{"four components, three alike", edit(t, "cmyk.jpg").set(mSOF0, 7, 0x22), picture.Unsupported},
		{"named RGB without markers", edit(t, "baseline444.jpg").without(mAPP0).identifiers("RGB"), passes},
		{"named RGB, subsampled", edit(t, "baseline420.jpg").without(mAPP0).identifiers("RGB"), picture.Unsupported},
		{"named RGB with JFIF", edit(t, "baseline420.jpg").identifiers("RGB"), passes},
		{"named RGB with APP14 YCbCr", edit(t, "baseline444.jpg").without(mAPP0).identifiers("RGB").insert(mDQT, mAPP14, adobeYCC), picture.Malformed},
		{"APP14 RGB", edit(t, "baseline444.jpg").without(mAPP0).insert(mDQT, mAPP14, adobeRGB), passes},
		{"APP14 RGB, subsampled", edit(t, "baseline420.jpg").without(mAPP0).insert(mDQT, mAPP14, adobeRGB), picture.Unsupported},
		{"APP14 RGB with JFIF", edit(t, "baseline420.jpg").insert(mDQT, mAPP14, adobeRGB), passes},
		{"APP14 RGB, JFIF and another APP0", edit(t, "baseline420.jpg").insert(mDQT, mAPP14, adobeRGB).insert(mDQT, mAPP0, "JFXX\x00\x10"), picture.Malformed},
		{"APP14 RGB after the scan", edit(t, "baseline444.jpg").without(mAPP0).insert(mEOI, mAPP14, adobeRGB), picture.Malformed},
		{"APP14 of five bytes", edit(t, "baseline420.jpg").insert(mDQT, mAPP14, "Adobe"), picture.Malformed},
		{"JFIF of five bytes", edit(t, "baseline420.jpg").insert(mDQT, mAPP0, "JFIF\x00"), picture.Malformed},
		{"an empty Huffman table", edit(t, "baseline420.jpg").insert(mSOS, mDHT, string(make([]byte, 17))), picture.Malformed},
		{"a third table of baseline", edit(t, "baseline420.jpg").insert(mSOS, mDHT, "\x02\x01"+string(make([]byte, 15))+"\x00"), picture.Malformed},
	} {
		_, err := strip(test.in.data)
		if walktest.Fault(err) != test.want || test.want == passes && err != nil {
			t.Errorf("%s: %v, want fault %d", test.name, err, test.want)
		}
	}
}

// TestIdentifiers holds that components are named as libjpeg's encoder names them.
func TestIdentifiers(t *testing.T) {
	for _, test := range []struct {
		in   *edited
		want string
	}{
		{edit(t, "baseline420.jpg").identifiers("XYZ"), "\x01\x02\x03"},
		{edit(t, "baseline420.jpg").identifiers("RGB"), "\x01\x02\x03"},
		{edit(t, "baseline444.jpg").without(mAPP0).identifiers("RGB"), "RGB"},
		{edit(t, "baseline444.jpg").without(mAPP0).insert(mDQT, mAPP14, adobeRGB).identifiers("XYZ"), "RGB"},
		{edit(t, "cmyk.jpg").identifiers("WXYZ"), "CMYK"},
	} {
		s, err := strip(test.in.data)
		if err != nil {
			t.Fatal(err)
		}
		out := &edited{t, s.Data}
		for i, want := range []byte(test.want) {
			sof, sos := out.data[out.at(mSOF0)+10+3*i], out.data[out.at(mSOS)+5+2*i]
			if sof != want || sos != want {
				t.Errorf("%q: component %d is %q in SOF and %q in SOS", test.want, i, sof, sos)
			}
		}
	}
}

// TestScansAlone holds, for a file of three subsampled components each in a scan of
// its own, that a restart interval within one is refused, and one of a whole scan not.
func TestScansAlone(t *testing.T) {
	data := sources(t)["progressive.jpg"]
	sos := bytes.Index(data, []byte{0xFF, mSOS})
	for interval, want := range map[uint16]picture.Fault{0: 255, 1: picture.Unsupported, 0xFFFF: 255} {
		dri := []byte{0xFF, mDRI, 0, 4, byte(interval >> 8), byte(interval)}
		// The interleaved scan before would need restart markers, so DRI comes behind it.
		second := sos + 2 + bytes.Index(data[sos+2:], []byte{0xFF, mDHT})
		_, err := strip(slices.Concat(data[:second], dri, data[second:]))
		if walktest.Fault(err) != want || want == 255 && err != nil {
			t.Errorf("interval %d: %v", interval, err)
		}
	}
}

// TestRestartWithoutEffect holds that an interval longer than the scans goes.
func TestRestartWithoutEffect(t *testing.T) {
	plain := sources(t)["baseline420.jpg"]
	for _, payload := range []string{"CA", "\x00\x0C"} { // there are 12 MCUs
		s, err := strip(edit(t, "baseline420.jpg").insert(mSOS, mDRI, payload).data)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(s.Data, plain) || removed(s, "DRI") != 6 {
			t.Errorf("interval %q stays: %v", payload, s.Removed)
		}
	}
}

// TestColumns holds the order of zigzag against the first and last of T.81 figure A.6.
func TestColumns(t *testing.T) {
	if want := []uint8{0, 1, 0, 0, 1, 2, 3, 2, 1, 0}; !slices.Equal(columns[:10], want) {
		t.Errorf("columns begin with %v, want %v", columns[:10], want)
	}
	if want := []uint8{3, 2, 3}; !slices.Equal(columns[61:], want) {
		t.Errorf("columns end in %v, want %v", columns[61:], want)
	}
}
