package jpeg

import (
	"bytes"

	"weir/sanitize/internal/picture"
)

// quantTable is one quantisation table (T.81 B.2.4.1), as defined and as written.
type quantTable struct {
	def   []byte // Pq and Tq, then 64 or 128 bytes; aliases the input
	sent  bool
	steps *[64]int32 // in zigzag order; nil until a scan needs them
}

// values returns the steps.
func (t *quantTable) values() *[64]int32 {
	if t.steps != nil {
		return t.steps
	}
	t.steps = new([64]int32)
	for i := range t.steps {
		if t.def[0]>>4 == 0 {
			t.steps[i] = int32(t.def[1+i])
		} else {
			t.steps[i] = int32(t.def[1+2*i])<<8 | int32(t.def[2+2*i])
		}
	}
	return t.steps
}

// defineQuant takes the tables of one DQT. A table that a scan has used must not
// change: decoders differ on which of the two they apply.
func (s *stripper) defineQuant(p []byte) error {
	for len(p) > 0 {
		id, wide := p[0]&15, p[0]>>4
		n := 65 + 64*int(wide)
		if id > 3 || wide > 1 || len(p) < n {
			return picture.Errorf(picture.Malformed, "bad DQT")
		}
		t := &s.quant[id]
		switch {
		case t.def == nil:
		case !t.sent || bytes.Equal(t.def, p[:n]):
			s.result.Remove("DQT repeated", n)
		default:
			return picture.Errorf(picture.Malformed, "quantisation table %d changes between scans", id)
		}
		t.def = p[:n]
		p = p[n:]
	}
	return nil
}

// sendQuant writes the table unless it was written. A table that is not defined
// is an error if a scan needs it now.
func (s *stripper) sendQuant(id byte, needed bool) error {
	t := &s.quant[id]
	if t.def == nil {
		if needed {
			return picture.Errorf(picture.Malformed, "no quantisation table %d", id)
		}
		return nil
	}
	if !t.sent {
		s.write(mDQT, t.def...)
		t.sent = true
	}
	return nil
}

// quality estimates the setting (1 to 100) of the IJG encoder that gave this
// table, from its mean ratio to the luma table of T.81 table K.1.
func (t *quantTable) quality() int {
	sum, base := 0, 0
	for i, std := range lumaTable {
		sum += int(t.values()[i])
		base += std
	}
	scale := (100*sum + base/2) / base // IJG's percentage
	switch {
	case scale <= 100:
		return min(100, (200-scale)/2)
	default:
		return max(1, 5000/scale)
	}
}

// lumaTable is T.81 table K.1 in zigzag order.
var lumaTable = [64]int{
	16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
	26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
	56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
	95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
}

// lookupBits is the length of the codes that one look-up resolves.
const lookupBits = 9

// huffTable is one Huffman table (T.81 B.2.4.2), as defined and as written, and
// its decoder.
type huffTable struct {
	def  []byte     // Tc and Th, 16 counts, then the symbols; aliases the input
	sent []byte     // the definition that was last written
	used *[256]bool // symbols that scans have read by it

	built  bool
	lookup [1 << lookupBits]uint16 // length<<8 | symbol; 0 for longer codes
	limit  [17]uint32              // one past the last code of a length
	offset [17]int                 // index of a code's symbol, less the code
}

// defineHuffman takes the tables of one DHT.
func (s *stripper) defineHuffman(p []byte) error {
	for len(p) > 0 {
		class, id := p[0]>>4, p[0]&15
		baseline := s.frame != nil && s.frame.marker == mSOF0
		if class > 1 || id > 3 || baseline && id > 1 || len(p) < 17 {
			return picture.Errorf(picture.Malformed, "bad DHT")
		}
		n := 17
		for _, count := range p[1:17] {
			n += int(count)
		}
		if n == 17 || n > 17+256 || len(p) < n {
			return picture.Errorf(picture.Malformed, "bad DHT")
		}
		t := &s.huff[class][id]
		if t.unsent() {
			s.result.Remove("DHT unused", len(t.def))
		}
		t.def, t.built = p[:n], false
		if t.sent != nil && !t.unsent() {
			s.result.Remove("DHT repeated", n)
		}
		p = p[n:]
	}
	return nil
}

func (t *huffTable) unsent() bool { return t.def != nil && !bytes.Equal(t.def, t.sent) }

// use writes the table if the file does not hold it yet, and builds its decoder.
func (s *stripper) useHuffman(class, id byte) (*huffTable, error) {
	t := &s.huff[class][id]
	if t.def == nil {
		return nil, picture.Errorf(picture.Malformed, "no Huffman table %d/%d", class, id)
	}
	if !t.built {
		if err := t.build(class == 0); err != nil {
			return nil, err
		}
	}
	if t.unsent() {
		t.used = new([256]bool)
		s.tables = append(s.tables, sentTable{at: len(s.out), def: t.def, used: t.used})
		s.write(mDHT, t.def...)
		t.sent = t.def
	}
	return t, nil
}

// build makes the decoder (T.81 annex C and F.2.2.3). As in libjpeg, codes must
// not overflow their length, the code of all ones is not one, and a DC symbol is
// at most 15.
func (t *huffTable) build(dc bool) error {
	clear(t.lookup[:])
	code, index := uint32(0), 0
	symbols := t.def[17:]
	if err := checkSymbols(symbols); err != nil {
		return err
	}
	for length := 1; length <= 16; length++ {
		count := int(t.def[length])
		t.offset[length] = index - int(code)
		for range count {
			if code+1 >= 1<<length || dc && symbols[index] > 15 {
				return picture.Errorf(picture.Malformed, "bad Huffman table")
			}
			if length <= lookupBits {
				first := code << (lookupBits - length)
				for i := range uint32(1) << (lookupBits - length) {
					t.lookup[first+i] = uint16(length)<<8 | uint16(symbols[index])
				}
			}
			code++
			index++
		}
		t.limit[length] = code
		code <<= 1
	}
	t.built = true
	return nil
}

// dropUnsentTables notes the tables that no scan used.
func (s *stripper) dropUnsentTables() {
	for i := range s.quant {
		if t := &s.quant[i]; t.def != nil && !t.sent {
			s.result.Remove("DQT unused", len(t.def))
		}
	}
	for class := range s.huff {
		for id := range s.huff[class] {
			if t := &s.huff[class][id]; t.unsent() {
				s.result.Remove("DHT unused", len(t.def))
			}
		}
	}
}
