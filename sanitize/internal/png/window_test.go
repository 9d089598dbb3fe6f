package png

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"hash/adler32"
	"io"
	"math/rand/v2"
	"testing"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/walktest"
)

// repeated is text that repeats itself at one distance and nowhere nearer.
func repeated(distance int) []byte {
	r := rand.New(rand.NewPCG(3, uint64(distance)))
	out := make([]byte, distance)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return append(out, out[:40]...)
}

// TestLongestDistance lets the standard library write streams of all kinds of blocks.
func TestLongestDistance(t *testing.T) {
	for _, level := range []int{flate.DefaultCompression, flate.BestCompression, flate.HuffmanOnly, flate.NoCompression} {
		for _, distance := range []int{40, 41, 300, 4096, 20_000, 32_768} {
			var b bytes.Buffer
			w, err := flate.NewWriter(&b, level)
			if err != nil {
				t.Fatal(err)
			}
			// Random bytes would be stored, so a run makes the block worth compressing.
			w.Write(append(repeated(distance), make([]byte, 3*distance)...))
			w.Close()
			want := distance
			if level == flate.HuffmanOnly || level == flate.NoCompression {
				want = 0
			}
			got, err := longestDistance(t.Context(), &b)
			if err != nil || got != want {
				t.Errorf("level %d: distance %d, want %d: %v", level, got, want, err)
			}
		}
	}
}

// TestWindow holds that a small window passes when it is enough, and only then.
func TestWindow(t *testing.T) {
	for _, test := range []struct {
		distance int
		header   string
		ok       bool
	}{{300, "\x18\x19", true}, {600, "\x18\x19", false}, {600, "\x48\x89", true}, {4096, "\x48\x89", true},
		{4097, "\x48\x89", false}, {4097, "\x78\x9c", true}} {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, flate.BestCompression)
		rows := append([]byte{0}, repeated(test.distance)...)
		rows = append(rows, make([]byte, 3*test.distance)...)
		w.Write(rows)
		w.Close()
		h := Header{Width: len(rows) - 1, Height: 1, Depth: 8}
		out := appendChunk([]byte(signature), "IHDR", h.payload())
		out = appendChunk(out, "IDAT", appendAdler([]byte(test.header+b.String()), rows))
		out = appendChunk(out, "IEND", nil)
		l := limits
		l.MaxSide = 1 << 16
		s, err := stripWith(out, picture.Options{Limits: l})
		if test.ok && (err != nil || !bytes.Equal(s.Data, out)) || !test.ok && walktest.Fault(err) != picture.Malformed {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func appendAdler(out, raw []byte) []byte {
	return binary.BigEndian.AppendUint32(out, adler32.Checksum(raw))
}

func stripWith(data []byte, o picture.Options) (*picture.Stripped, error) {
	return Strip(context.Background(), data, o, false)
}

// FuzzLongestDistance holds that any bytes end in a distance or an error, and that
// what the standard library inflates has a distance.
func FuzzLongestDistance(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\xff\xff"))
	f.Add([]byte("\x4b\x4c\x04\x02\x00"))
	f.Add([]byte(deflated(repeated(100)))[2:])
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := longestDistance(t.Context(), bytes.NewReader(data))
		if err == nil && n > 1<<15 {
			t.Fatalf("distance %d", n)
		}
		// bytes.Reader is an io.ByteReader, so that nothing beyond the stream is read.
		if _, bad := io.Copy(io.Discard, io.LimitReader(flate.NewReader(bytes.NewReader(data)), 1<<20)); bad == nil && err != nil {
			t.Fatalf("the standard library inflates it, and here: %v", err)
		}
	})
}
