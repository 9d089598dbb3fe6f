package tiff

import "testing"

// TestRanges: tags on the range and type of samples are no reason to refuse where
// libtiff takes them.
func TestRanges(t *testing.T) {
	for _, tag := range []uint16{280, 281, 340, 341, 32996} {
		data := patch(t, patch(t, seed(t, "l_raw.tif"), 284, renamed(tag)), tag, value(2))
		if _, err := strip(data); err != nil {
			t.Errorf("tag %d: %v", tag, err)
		}
	}
}
