package webp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	xwebp "golang.org/x/image/webp"

	"weir/sanitize/internal/picture"
)

var limits = picture.Limits{MaxPixels: 1 << 22, MaxSide: 16384, MaxSegments: 64, MaxMetadataBytes: 1 << 16, MaxFrames: 16}

func seed(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../testdata/webp/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func seeds(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("../../testdata/webp/*.webp")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no seeds: %v", err)
	}
	all := map[string][]byte{}
	for _, path := range paths {
		all[filepath.Base(path)] = seed(t, filepath.Base(path))
	}
	return all
}

func options() picture.Options {
	return picture.Options{Limits: limits, Animation: picture.KeepAnimation}
}

func strip(t testing.TB, data []byte, o picture.Options) *picture.Stripped {
	t.Helper()
	s, err := Strip(context.Background(), data, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// samples are what x/image decodes.
func samples(t testing.TB, data []byte) any {
	t.Helper()
	img, err := xwebp.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func wantFault(t *testing.T, err error, want picture.Fault) {
	t.Helper()
	var fault *picture.Error
	if !errors.As(err, &fault) || fault.Fault != want {
		t.Errorf("error %v, want fault %d", err, want)
	}
}

// fourCC is a chunk.
func fourCC(name, payload string) string { return string(appendChunk(nil, name, []byte(payload))) }

// riff is a file of chunks.
func riff(chunks ...string) []byte {
	body := "WEBP" + strings.Join(chunks, "")
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

// split returns the chunks of a file, with their headers.
func split(t testing.TB, data []byte) (chunks []string) {
	t.Helper()
	for data = data[12:]; len(data) > 0; {
		n := 8 + int(binary.LittleEndian.Uint32(data[4:]))
		n += n & 1
		chunks = append(chunks, string(data[:n]))
		data = data[n:]
	}
	return chunks
}

// TestSeeds: what the seeds lose is known, and what is left decodes to the same.
func TestSeeds(t *testing.T) {
	for name, data := range seeds(t) {
		t.Run(name, func(t *testing.T) {
			s := strip(t, data, options())
			again := strip(t, s.Data, options())
			if !bytes.Equal(again.Data, s.Data) || len(again.Removed) > 0 {
				t.Errorf("a second walk removes %v", again.Removed)
			}
			t.Log(len(data), len(s.Data), s.Removed, s.Info)
		})
	}
}
