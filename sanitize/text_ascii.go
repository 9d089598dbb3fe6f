package sanitize

import "encoding/binary"

// plainSpan returns the length of the longest prefix of data that is printable
// ASCII, TAB and LF. It looks at eight bytes at a time.
func plainSpan(data []byte) int {
	const (
		ones = 0x0101010101010101
		high = 0x8080808080808080
	)
	i := 0
	for ; i+8 <= len(data); i += 8 {
		x := binary.LittleEndian.Uint64(data[i:])
		del := x ^ 0x7F*ones
		if (x|(x-0x20*ones)&^x|(del-ones)&^del)&high == 0 { // no byte ≥ 0x80, < 0x20 or = 0x7F
			continue
		}
		for j := i; j < i+8; j++ {
			if !plain(data[j]) {
				return j
			}
		}
	}
	for i < len(data) && plain(data[i]) {
		i++
	}
	return i
}

func plain(c byte) bool {
	return c >= 0x20 && c < 0x7F || c == '\t' || c == '\n'
}
