package exif

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rwcarlsen/goexif/exif"
)

// ifd lays out one directory of the block, with the entries as 12 bytes each.
func ifd(order binary.AppendByteOrder, next uint32, entries ...[]byte) []byte {
	out := order.AppendUint16(nil, uint16(len(entries)))
	out = append(out, bytes.Join(entries, nil)...)
	return order.AppendUint32(out, next)
}

func field(order binary.AppendByteOrder, tag, typ uint16, count uint32, value ...byte) []byte {
	b := order.AppendUint16(order.AppendUint16(nil, tag), typ)
	b = order.AppendUint32(b, count)
	return append(b, append(value, 0, 0, 0, 0)[:4]...)
}

const (
	little = "II*\x00\x08\x00\x00\x00"
	big    = "MM\x00*\x00\x00\x00\x08"
)

// bomb makes goexif allocate 12 GiB from 26 bytes.
var bomb = slices.Concat([]byte(little), ifd(binary.LittleEndian, 0,
	field(binary.LittleEndian, 0x0112, 5, 0x20000001)))

func TestOrientation(t *testing.T) {
	le, be := binary.LittleEndian, binary.BigEndian
	tests := []struct {
		name  string
		block []byte
		want  uint8
	}{
		{"little", slices.Concat([]byte(little), ifd(le, 0, field(le, 0x0112, 3, 1, 6))), 6},
		{"big", slices.Concat([]byte(big), ifd(be, 0, field(be, 0x0112, 3, 1, 0, 8))), 8},
		{"minimal", Minimal(3), 3},
		{"upright", Minimal(1), 0},
		{"out of range", Minimal(9), 0},
		{"zero", Minimal(0), 0},
		{"LONG", slices.Concat([]byte(little), ifd(le, 0, field(le, 0x0112, 4, 1, 6))), 0},
		{"two values", slices.Concat([]byte(little), ifd(le, 0, field(le, 0x0112, 3, 2, 6, 0, 6))), 0},
		{"twice, different", slices.Concat([]byte(little), ifd(le, 0, field(le, 0x0112, 3, 1, 6), field(le, 0x0112, 3, 1, 8))), 0},
		{"value of another tag outside", slices.Concat([]byte(little), ifd(le, 0, field(le, 0x010F, 2, 99, 0xFF), field(le, 0x0112, 3, 1, 6))), 6},
		{"next directory outside", slices.Concat([]byte(little), ifd(le, 9999, field(le, 0x0112, 3, 1, 6))), 6},
		{"no next directory", slices.Concat([]byte(little), ifd(le, 0, field(le, 0x0112, 3, 1, 6)))[:22], 6},
		{"loop", slices.Concat([]byte(little), ifd(le, 8, field(le, 0x0112, 3, 1, 6))), 0},
		{"Exif directory is the first", slices.Concat([]byte(little), ifd(le, 0, field(le, 0x0112, 3, 1, 6), field(le, 0x8769, 4, 1, 8))), 0},
		{"bomb", bomb, 0},
		{"empty", nil, 0},
		{"no TIFF", []byte("not a TIFF file at all"), 0},
		{"cut entry", Minimal(6)[:20], 0},
	}
	for _, test := range tests {
		if got := Inspect(test.block).Orientation; got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
	if n := len(Minimal(6)); n != MinimalSize {
		t.Errorf("Minimal has %d bytes", n)
	}
}

// TestNames reads the block that Pillow wrote.
func TestNames(t *testing.T) {
	data, err := os.ReadFile("../../testdata/image/exif6.jpg")
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("Exif\x00\x00")) + 6
	b, err := Parse(data[at:])
	if err != nil {
		t.Fatal(err)
	}
	names, orientation, err := b.Names()
	want := "ExifIFDPointer GPSInfoIFDPointer GPSLatitude GPSLatitudeRef Make Model Orientation UserComment"
	if got := strings.Join(names, " "); got != want || orientation != 6 || err != nil {
		t.Errorf("names %q, orientation %d, %v", got, orientation, err)
	}
	if bytes.Contains(b.rewrite(), []byte("Maker")) {
		t.Error("the rewritten block holds a value")
	}
}

func TestDescribe(t *testing.T) {
	many := make([]string, 30)
	for i := range many {
		many[i] = fmt.Sprintf("T%02d", i)
	}
	for want, f := range map[string]Found{
		": malformed": {Malformed: true}, "": {}, ": Make": {Names: []string{"Make"}},
		": " + strings.Join(many[:24], ", ") + " and 6 more": {Names: many},
	} {
		if got := f.Describe(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestBounds holds that entries and directories are counted over the whole block.
func TestBounds(t *testing.T) {
	le := binary.LittleEndian
	entries := make([][]byte, maxEntries+1)
	for i := range entries {
		entries[i] = field(le, uint16(i+1), 3, 1)
	}
	if _, err := Parse(slices.Concat([]byte(little), ifd(le, 0, entries[:maxEntries]...))); err != nil {
		t.Errorf("%d entries: %v", maxEntries, err)
	}
	if _, err := Parse(slices.Concat([]byte(little), ifd(le, 0, entries...))); err == nil {
		t.Errorf("%d entries are taken", len(entries))
	}
	for n, ok := range map[int]bool{maxDirectories: true, maxDirectories + 1: false} {
		block := []byte(little)
		for i := range n {
			next := uint32(len(block) + 6)
			if i == n-1 {
				next = 0
			}
			block = append(block, ifd(le, next)...)
		}
		if _, err := Parse(block); (err == nil) != ok {
			t.Errorf("%d directories: %v", n, err)
		}
	}
}

// allocated is the number of bytes that f allocates, freed or not.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestBomb(t *testing.T) {
	if len(bomb) != 26 {
		t.Fatalf("%d bytes", len(bomb))
	}
	if n := allocated(func() { Inspect(bomb) }); n > 1<<18 {
		t.Errorf("%d bytes allocated", n)
	}
}

// FuzzEXIF holds for every block: no panic; memory within a multiple of its size;
// and what goexif finds in the rewritten block are tags, whatever the block says.
func FuzzEXIF(f *testing.F) {
	f.Add(bomb)
	f.Add(Minimal(6))
	for _, name := range []string{"exif6.jpg", "exif1.jpg", "exif.png"} {
		data, err := os.ReadFile("../../testdata/image/" + name)
		if err != nil {
			f.Fatal(err)
		}
		at := max(bytes.Index(data, []byte("MM\x00*")), bytes.Index(data, []byte("II*\x00")))
		f.Add(data[at:min(len(data), at+300)])
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		var found Found
		if n := allocated(func() { found = Inspect(block) }); n > 1<<20+64*uint64(len(block)) {
			t.Fatalf("%d bytes allocated for %d", n, len(block))
		}
		if found.Orientation == 1 || found.Orientation > 8 {
			t.Fatalf("orientation %d", found.Orientation)
		}
		b, err := Parse(block)
		if err != nil {
			return
		}
		if _, err := exif.Decode(bytes.NewReader(b.rewrite())); err != nil && exif.IsCriticalError(err) {
			t.Fatalf("goexif does not read the rewritten block: %v", err)
		}
	})
}
