package jpeg

import (
	"bytes"
	"context"
	stdjpeg "image/jpeg"
	"slices"
	"testing"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/walktest"
)

func stripContainer(data []byte) (*picture.Stripped, error) {
	return Strip(context.Background(), data, picture.Options{Limits: limits, ContainerOnly: true})
}

// TestContainerOnlyAgrees holds that for files as encoders write them the walk over
// the scans changes nothing that copying them would leave, apart from pad bits.
func TestContainerOnlyAgrees(t *testing.T) {
	for name, data := range sources(t) {
		want, err := strip(data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := stripContainer(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(got.Data, want.Data) || got.Info != want.Info {
			t.Errorf("%s: %d bytes, want %d", name, len(got.Data), len(want.Data))
		}
	}
}

// TestContainerOnlyFindsTheEnd cuts files at every byte. A part that passes is one
// where EOI happens to be, which is nowhere but at the end.
func TestContainerOnlyFindsTheEnd(t *testing.T) {
	for _, name := range []string{"baseline420.jpg", "progressive.jpg", "restart.jpg"} {
		data := sources(t)[name]
		for n := range data {
			if _, err := stripContainer(data[:n]); err == nil {
				t.Errorf("%s passes when cut at %d of %d", name, n, len(data))
			}
		}
	}
}

// TestContainerOnlyLeaves holds what the documentation says of this option: what is
// among the entropy-coded data stays, what is among the markers goes.
func TestContainerOnlyLeaves(t *testing.T) {
	data := sources(t)["baseline420.jpg"]
	end := len(data) - 2
	hidden := slices.Concat(data[:end], []byte("CANARY"), data[end:])
	s, err := stripContainer(hidden)
	if err != nil || !bytes.Equal(s.Data, hidden) {
		t.Errorf("bytes after the last MCU: %v", err)
	}
	filled := slices.Concat(data[:end], []byte{0xFF, 0xFF, 0xFF}, data[end:], []byte("CANARY"))
	s, err = stripContainer(filled)
	if err != nil || !bytes.Equal(s.Data, data) || removed(s, "bytes after scan data") != 3 {
		t.Errorf("fill bytes and trailing data: %v %v", err, s.Removed)
	}
	restart := sources(t)["restart.jpg"]
	for name, bad := range map[string][]byte{
		"a restart marker out of order": bytes.Replace(restart, []byte{0xFF, 0xD1}, []byte{0xFF, 0xD2}, 1),
		"a restart marker without DRI":  bytes.Replace(restart, []byte{0xFF, mDRI}, []byte{0xFF, mCOM}, 1),
	} {
		if _, err := stripContainer(bad); walktest.Fault(err) != picture.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	sos := bytes.Index(data, []byte{0xFF, mSOS})
	empty := slices.Concat(data[:sos+14], []byte{0xFF, mEOI})
	if _, err := stripContainer(empty); walktest.Fault(err) != picture.Truncated {
		t.Errorf("an empty scan: %v", err)
	}
}

// TestExpansion holds the declared samples against the bytes of the file.
func TestExpansion(t *testing.T) {
	data := sources(t)["baseline420.jpg"]
	c, err := stdjpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	o := picture.Options{Limits: limits}
	o.Limits.MaxExpansion = int64(3*c.Width*c.Height/len(data)) + 1
	if _, err := Strip(context.Background(), data, o); err != nil {
		t.Error(err)
	}
	o.Limits.MaxExpansion--
	if _, err := Strip(context.Background(), data, o); walktest.Fault(err) != picture.Expands {
		t.Errorf("error %v", err)
	}
}
