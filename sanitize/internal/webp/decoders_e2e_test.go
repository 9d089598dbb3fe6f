//go:build e2e

package webp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	xwebp "golang.org/x/image/webp"

	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/walktest"
)

// mutations is how many mutated files are made of each seed.
const mutations = 400

// source is a file that passed.
type source struct {
	data     []byte
	stripped *picture.Stripped
}

// TestDecodersAgree mutates the seeds. Whatever passes is a file that Pillow and
// OpenCV, that is libwebp, read with the size and number of frames that Strip says,
// and decode to the same samples before and after; x/image reads what is no
// animation. With WEIR_CORPUS, a folder, it looks at the files in it, too.
func TestDecodersAgree(t *testing.T) {
	dir := t.TempDir()
	sources := map[string]source{}
	total := eachSource(t, func(name string, data []byte) {
		s, err := Strip(t.Context(), data, options())
		if err != nil {
			return
		}
		sources[name] = source{data, s}
		for kind, content := range map[string][]byte{"before": data, "after": s.Data} {
			if err := os.WriteFile(filepath.Join(dir, name+"."+kind), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})
	if len(sources) < total/20 {
		t.Errorf("only %d files of %d passed", len(sources), total)
	}
	t.Logf("%d files of %d passed", len(sources), total)
	views := walktest.DecodeAll(t, "../../testdata/webp/decoders.py", dir)
	for name, s := range sources {
		before, after := views[name+".before"], views[name+".after"]
		if problem := compare(t, s, before, after); problem != "" {
			t.Errorf("%s: %s\nbefore %v\nafter  %v\nremoved %v", name, problem, before, after, s.stripped.Removed)
			walktest.Save(t, name, s.data)
		}
	}
}

func compare(t *testing.T, s source, before, after walktest.Decoded) string {
	info := s.stripped.Info
	size := image.Pt(info.Width, info.Height)
	if s.stripped.Orientation == 0 && before.Pillow != nil { // it may be in doubt
		before.Pillow["orientation"] = after.Pillow["orientation"]
	}
	switch {
	case before.Pillow == nil:
		return "Pillow refuses it"
	case before.OpenCV == nil && len(s.data) >= minFile || after.OpenCV == nil:
		return "OpenCV refuses it"
	case before.Pillow.Size() != size || after.OpenCV.Size() != size:
		return fmt.Sprintf("Strip reads a size of %v", size)
	case before.Pillow.Frames() != info.Frames || after.OpenCV.Frames() != info.Frames:
		return fmt.Sprintf("Strip reads %d frames", info.Frames)
	case !reflect.DeepEqual(before.Pillow, after.Pillow):
		return "Pillow reads something else"
	case before.OpenCV != nil && !reflect.DeepEqual(before.OpenCV, after.OpenCV):
		return "OpenCV reads something else"
	}
	again, err := Strip(t.Context(), s.stripped.Data, options())
	if err != nil || !bytes.Equal(again.Data, s.stripped.Data) {
		return fmt.Sprintf("strip is not idempotent: %v", err)
	}
	if bytes.Contains(s.stripped.Data[:min(len(s.stripped.Data), 40)], []byte("ANIM")) {
		return ""
	}
	for _, data := range [][]byte{s.data, s.stripped.Data} {
		config, err := xwebp.DecodeConfig(bytes.NewReader(data))
		if err != nil || image.Pt(config.Width, config.Height) != size {
			return fmt.Sprintf("x/image reads a size of %d × %d: %v", config.Width, config.Height, err)
		}
	}
	if !reflect.DeepEqual(samples(t, s.data), samples(t, s.stripped.Data)) {
		return "x/image reads something else"
	}
	img, err := Decode(t.Context(), s.stripped.Data)
	if err != nil || digest(img.Pix) != before.Pillow["rgba"] {
		return fmt.Sprintf("Decode delivers other samples: %v", err)
	}
	return ""
}

// TestDecodersReadWhatIsMade: libwebp decodes what is encoded anew to the samples that
// were asked for: pictures of Encode, first frames, and pictures without colour under
// alpha 0.
func TestDecodersReadWhatIsMade(t *testing.T) {
	dir := t.TempDir()
	want := map[string]string{}
	save := func(name string, file []byte, rgba string) {
		if err := os.WriteFile(filepath.Join(dir, name), file, 0o600); err != nil {
			t.Fatal(err)
		}
		want[name] = rgba
	}
	for i, img := range pictures(3, 200) {
		file, err := Encode(t.Context(), img, 0, options())
		if err != nil {
			t.Fatal(err)
		}
		save(fmt.Sprintf("encoded-%d", i), file, digest(img.Pix))
		payload, err := plainEncode(t.Context(), img)
		if err != nil {
			t.Fatal(err)
		}
		f, err := encoded(t.Context(), payload, img)
		if err != nil {
			t.Fatal(err)
		}
		save(fmt.Sprintf("plain-%d", i), riff(fourCC("VP8L", string(f.data)), fourCC("JUNK", strings.Repeat(" ", 32))), digest(img.Pix))
	}
	for name, data := range seeds(t) {
		o := options()
		if strings.HasPrefix(name, "animation") {
			o.Animation = picture.FirstFrame
			save(name, data, "")
			save(name+"-first", strip(t, data, o).Data, name)
			continue
		}
		o.ZeroTransparent = true
		img, err := Decode(t.Context(), strip(t, data, options()).Data)
		if err != nil {
			t.Fatal(err)
		}
		zeroColour(img)
		save(name, strip(t, data, o).Data, digest(img.Pix))
	}
	views := walktest.DecodeAll(t, "../../testdata/webp/decoders.py", dir)
	for name, rgba := range want {
		v := views[name]
		if v.Pillow == nil || v.OpenCV == nil {
			t.Errorf("%s: Pillow reads %v, OpenCV %v", name, v.Pillow, v.OpenCV)
			continue
		}
		if source, ok := want[rgba]; ok && source == "" {
			rgba = views[rgba].Pillow["rgba"].(string)
		}
		if rgba != "" && v.Pillow["rgba"] != rgba {
			t.Errorf("%s: Pillow reads %v, want samples %s", name, v.Pillow, rgba)
		}
	}
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:16]
}

// eachSource calls try with the seeds, their mutations and the corpus. It returns how
// many there are.
func eachSource(t *testing.T, try func(name string, data []byte)) int {
	t.Helper()
	total := 0
	r := rand.New(rand.NewPCG(5, 6))
	for name, data := range seeds(t) {
		try(name, data)
		for i := range mutations {
			try(fmt.Sprintf("%s-%d", name, i), walktest.Mutate(r, data))
		}
		total += 1 + mutations
	}
	return total + walktest.EachCorpusFile(t, "webp", try)
}
