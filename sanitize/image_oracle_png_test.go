//go:build e2e

package sanitize_test

import (
	"encoding/binary"
	"image"
	"testing"

	"weir/sanitize"
)

var _ = registerGrammar(sanitize.FormatPNG, grammar{
	seeds: func(t testing.TB) [][]byte {
		out := smallSources(t, "*.png")
		for _, c := range canaries(t) {
			if c.format == sanitize.FormatPNG && c.refuse == "" {
				out = append(out, c.data)
			}
		}
		for range 40 { // so that enough mutations meet an animation
			out = append(out, []byte(newAPNG().file()))
		}
		return out
	},
	ways: []sanitize.ImageOptions{{},
		{Animation: sanitize.AnimationKeep, Limits: sanitize.ImageLimits{MaxFrames: 10}}},
	split: splitPNG,
	mend:  mendPNG,
	luma:  func(image.Image) (int, string) { return 0, "PNG is lossless, and luma is computed alike" },
})

// splitPNG cuts a file into its signature, its chunks, and what follows them.
func splitPNG(data []byte) [][]byte {
	at := min(8, len(data))
	pieces := [][]byte{data[:at:at]}
	for len(data)-at >= 12 {
		n := uint64(binary.BigEndian.Uint32(data[at:])) + 12
		if n > uint64(len(data)-at) {
			break
		}
		end := at + int(n)
		pieces = append(pieces, data[at:end:end])
		at = end
	}
	return append(pieces, data[at:])
}

// mendPNG computes the CRC of every chunk anew.
func mendPNG(data []byte) []byte {
	var out []byte
	for i, p := range splitPNG(data) {
		if i > 0 && len(p) >= 12 {
			p = []byte(chunk(string(p[4:8]), string(p[8:len(p)-4])))
		}
		out = append(out, p...)
	}
	return out
}
