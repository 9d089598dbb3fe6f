package jpeg

import (
	"bytes"
	"testing"

	"weir/sanitize/internal/huffman"
	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/walktest"
)

// TestUnusedSymbols hides a message in the codes of a used Huffman table that no scan
// reads, behind the used codes and among them.
func TestUnusedSymbols(t *testing.T) {
	const hidden = "\xB1\xB2\xB4\xB5\xB8\xBA" // no symbols of the picture
	clean, err := strip(sources(t)["optimised.jpg"])
	if err != nil {
		t.Fatal(err)
	}
	data := clean.Data
	at := bytes.Index(data, []byte{0xFF, mDHT})
	for data[at+4] != 0x10 { // the AC table of luma
		at += 2 + bytes.Index(data[at+2:], []byte{0xFF, mDHT})
	}
	size := int(data[at+2])<<8 + int(data[at+3])
	loaded := bytes.Clone(data[:at+2])
	loaded = append(loaded, byte((size+len(hidden))>>8), byte(size+len(hidden)))
	loaded = append(loaded, data[at+4:at+2+size]...)
	loaded[at+20] += byte(len(hidden)) // codes of 16 bits
	loaded = append(append(loaded, hidden...), data[at+2+size:]...)

	s, err := strip(loaded)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Data, data) || removed(s, "DHT unused symbols") != len(hidden) {
		t.Errorf("%d bytes of unused symbols are reported; want %d, and the file without them", removed(s, "DHT unused symbols"), len(hidden))
	}

	twice := bytes.Replace(loaded, []byte(hidden), []byte("\xB1\xB1\xB4\xB5\xB8\xBA"), 1)
	if _, err := strip(twice); walktest.Fault(err) != picture.Malformed {
		t.Errorf("two codes for a symbol: %v", err)
	}
}

// TestPruned holds what becomes of codes that are not used.
func TestPruned(t *testing.T) {
	table := func(tcth byte, symbols ...byte) []byte { // all codes have 6 bits
		def := make([]byte, 17, 17+len(symbols))
		def[0], def[6] = tcth, byte(len(symbols))
		return append(def, symbols...)
	}
	standard := append(append([]byte{0x10}, huffman.AC[0].Counts[:]...), huffman.AC[0].Symbols...)
	for name, c := range map[string]struct {
		def, used, want []byte
		changed         int
	}{
		"all used":        {table(0x11, 5, 3, 1), []byte{1, 3, 5}, table(0x11, 5, 3, 1), 0},
		"the last ones":   {table(0x11, 5, 3, 1), []byte{5}, table(0x11, 5), 2},
		"among them":      {table(0x11, 99, 5, 98, 0, 97, 3), []byte{0, 3, 5}, table(0x11, 1, 5, 2, 0, 4, 3), 3},
		"canonical":       {table(0x11, 1, 5, 2, 0, 4, 3), []byte{0, 3, 5}, table(0x11, 1, 5, 2, 0, 4, 3), 0},
		"none used":       {table(0x11, 7, 9), nil, table(0x11, 0), 2},
		"DC has few left": {table(0x01, 9, 8, 15), []byte{15}, table(0x01, 0, 1, 15), 2},
		"standard":        {standard, []byte{1}, standard, 0},
	} {
		sent := sentTable{def: c.def, used: new([256]bool)}
		for _, symbol := range c.used {
			sent.used[symbol] = true
		}
		if got, changed := sent.pruned(); !bytes.Equal(got, c.want) || changed != c.changed {
			t.Errorf("%s: % X, %d changed; want % X, %d", name, got, changed, c.want, c.changed)
		}
	}
}

// TestTablesThatBecomeEqual holds that a table which differs from the one in force by
// nothing but unused symbols goes, as it would in a second walk.
func TestTablesThatBecomeEqual(t *testing.T) {
	def := func(last byte) []byte {
		return append(append([]byte{0x10, 0, 0, 3}, make([]byte, 13)...), 1, last, 2)
	}
	s := stripper{out: []byte{0xFF, mSOI}}
	for _, unused := range []byte{77, 78} {
		d := def(unused)
		used := new([256]bool)
		used[1], used[2] = true, true
		s.tables = append(s.tables, sentTable{at: len(s.out), def: d, used: used})
		s.write(mDHT, d...)
		s.out = append(s.out, "scan"...)
	}
	s.dropUnusedSymbols()
	want := appendSegment([]byte{0xFF, mSOI}, mDHT, def(0))
	if want = append(want, "scanscan"...); !bytes.Equal(s.out, want) {
		t.Errorf("% X, want % X", s.out, want)
	}
}

// TestDensity holds that an APP0 keeps nothing but its presence.
func TestDensity(t *testing.T) {
	data := sources(t)["density.jpg"]
	at := bytes.Index(data, []byte(sigJFIF))
	data = append(append(bytes.Clone(data[:at+5]), "\x01\x02\x02KEEP"...), data[at+12:]...)
	s, err := strip(data)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(s.Data, []byte("KEEP")) || !bytes.Contains(s.Data, []byte(canonicalJFIF)) {
		t.Error("the density stays")
	}
	if removed(s, "APP0 JFIF version and density") != 7 {
		t.Errorf("reported: %v", s.Removed)
	}
}
