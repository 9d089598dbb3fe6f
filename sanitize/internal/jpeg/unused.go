package jpeg

import (
	"bytes"

	"weir/sanitize/internal/huffman"
	"weir/sanitize/internal/picture"
)

// sentTable is a Huffman table in the output, with the symbols that scans have read
// by it.
type sentTable struct {
	at   int    // of its DHT in the output
	def  []byte // aliases the input
	used *[256]bool
}

// dropUnusedSymbols rewrites the Huffman tables of the output so that they say nothing
// but how the scans are read: codes behind the last used one go, and other unused codes
// get the lowest symbols that are free. The tables of T.81 annex K.3 stay whole. Then a
// table may be the one that is in force already, and goes too.
func (s *stripper) dropUnusedSymbols() {
	if s.opts.ContainerOnly || len(s.tables) == 0 {
		return
	}
	var inForce [32][]byte // by Tc and Th
	from := s.tables[0].at
	out := s.out[:from] // tables only shrink, so it never overtakes what is yet to copy
	for i, t := range s.tables {
		def, changed := t.pruned()
		s.result.Remove("DHT unused symbols", changed)
		to := len(s.out)
		if i+1 < len(s.tables) {
			to = s.tables[i+1].at
		}
		if from = t.at + 4 + len(t.def); bytes.Equal(def, inForce[def[0]&31]) {
			s.result.Remove("DHT repeated", len(def))
		} else {
			inForce[def[0]&31] = def
			out = appendSegment(out, mDHT, def)
		}
		out = append(out, s.out[from:to]...)
	}
	s.out = out
}

// pruned returns the table with its unused codes dropped or made canonical, and how
// many there were that said something.
func (t *sentTable) pruned() (def []byte, changed int) {
	if huffman.Standard(t.def[1:]) {
		return t.def, 0
	}
	symbols := t.def[17:]
	n := len(symbols)
	for n > 1 && !t.used[symbols[n-1]] {
		n--
	}
	def = bytes.Clone(t.def[:17+n])
	changed = len(symbols) - n
	for excess, length := changed, 16; excess > 0; length-- {
		less := min(excess, int(def[length]))
		def[length] -= byte(less)
		excess -= less
	}
	highest, free := 255, 0
	if def[0]>>4 == 0 {
		highest = 15 // libjpeg takes no others of DC
	}
	for i, symbol := range def[17:] {
		if t.used[symbol] {
			continue
		}
		for free < highest && t.used[free] {
			free++
		}
		if symbol != byte(free) {
			def[17+i] = byte(free)
			changed++
		}
		free = min(free+1, highest)
	}
	return def, changed
}

// checkSymbols refuses a table that has two codes for a symbol, as no encoder writes
// it: the choice between them would be a message.
func checkSymbols(symbols []byte) error {
	var seen [256]bool
	for _, symbol := range symbols {
		if seen[symbol] {
			return picture.Errorf(picture.Malformed, "two Huffman codes for a symbol")
		}
		seen[symbol] = true
	}
	return nil
}
