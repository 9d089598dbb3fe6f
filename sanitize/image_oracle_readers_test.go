//go:build e2e

package sanitize_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rwcarlsen/goexif/exif"
	"github.com/rwcarlsen/goexif/tiff"

	"weir/sanitize"
)

// structuralTags are the tags that exiftool derives from what a decoder needs.
var structuralTags = map[string]bool{}

// registerStructural adds tags, by group and name, of a format.
func registerStructural(names ...string) bool {
	for _, n := range names {
		structuralTags[n] = true
	}
	return true
}

var _ = registerStructural("SourceFile", "ExifTool:ExifToolVersion",
	"IFD0:Orientation", "Composite:ImageSize", "Composite:Megapixels",
	"JFIF:JFIFVersion", "JFIF:ResolutionUnit", "JFIF:XResolution", "JFIF:YResolution",
	"Adobe:DCTEncodeVersion", "Adobe:APP14Flags0", "Adobe:APP14Flags1", "Adobe:ColorTransform",
	"PNG:ImageWidth", "PNG:ImageHeight", "PNG:BitDepth", "PNG:ColorType", "PNG:Compression", "PNG:Filter",
	"PNG:Interlace", "PNG:Palette", "PNG:Transparency", "PNG:Gamma", "PNG:SRGBRendering", "PNG:SignificantBits",
	"PNG:AnimationFrames", "PNG:AnimationPlays",
	"RIFF:ImageWidth", "RIFF:ImageHeight", "RIFF:VP8Version", "RIFF:HorizontalScale", "RIFF:VerticalScale",
	"RIFF:WebP_Flags", "RIFF:AlphaPreprocessing", "RIFF:AlphaFiltering", "RIFF:AlphaCompression", "RIFF:AlphaIsUsed",
	"RIFF:BackgroundColor", "RIFF:AnimationLoopCount", "RIFF:FrameCount", "RIFF:Duration",
	"GIF:GIFVersion", "GIF:ImageWidth", "GIF:ImageHeight", "GIF:HasColorMap", "GIF:ColorResolutionDepth",
	"GIF:BitsPerPixel", "GIF:BackgroundColor", "GIF:TransparentColor", "GIF:FrameCount", "GIF:Duration", "GIF:AnimationIterations",
	"IFD0:ImageWidth", "IFD0:ImageHeight", "IFD0:BitsPerSample", "IFD0:Compression", "IFD0:PhotometricInterpretation",
	"IFD0:StripOffsets", "IFD0:SamplesPerPixel", "IFD0:RowsPerStrip", "IFD0:StripByteCounts", "IFD0:ColorMap",
	"IFD0:PlanarConfiguration", "IFD0:ExtraSamples", "IFD0:Predictor", "IFD0:XResolution", "IFD0:YResolution", "IFD0:ResolutionUnit")

// stripCanaries writes what strip makes of the canary files of all formats into a
// folder, and returns their names.
func stripCanaries(t *testing.T) (dir string, names []string) {
	t.Helper()
	dir = t.TempDir()
	for _, c := range canaries(t) {
		out, err := c.strip(t, false)
		if err != nil {
			continue
		}
		write(t, filepath.Join(dir, c.file()), out)
		names = append(names, c.file())
	}
	if len(names) < 100 {
		t.Fatalf("only %d canaries pass strip", len(names))
	}
	return dir, names
}

// run runs a program in a folder and returns what it prints on standard output. An
// exit code other than 0 is left to the caller to understand from that.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return string(out)
}

func TestExiftoolFindsNothing(t *testing.T) {
	dir, names := stripCanaries(t)
	var files []map[string]any
	if err := json.Unmarshal([]byte(run(t, dir, "exiftool", "-json", "-G1", "-U", "-a", "-ee", ".")), &files); err != nil {
		t.Fatal(err)
	}
	if len(files) != len(names) {
		t.Errorf("exiftool read %d files of %d", len(files), len(names))
	}
	for _, tags := range files {
		for name, value := range tags {
			group, tag, _ := strings.Cut(name, ":")
			if !structuralTags[name] && group != "System" && (group != "File" || tag == "Comment") {
				t.Errorf("%v: %s = %v", tags["SourceFile"], name, value)
			}
		}
	}
}

// withMetadata is a file in which every reader finds something, so that its silence
// about the others counts.
func withMetadata(t *testing.T, dir string) string {
	t.Helper()
	const name = "unstripped.jpg"
	write(t, filepath.Join(dir, name), source(t, "exif6.jpg"))
	return name
}

// tiffStructural are the tags of a TIFF that say how its samples are read.
var tiffStructural = map[string]bool{
	"ImageWidth": true, "ImageLength": true, "BitsPerSample": true, "Compression": true, "PhotometricInterpretation": true,
	"StripOffsets": true, "SamplesPerPixel": true, "RowsPerStrip": true, "StripByteCounts": true, "PlanarConfiguration": true,
	"ColorMap": true, "ExtraSamples": true, "Predictor": true, "SampleFormat": true,
}

func TestExiv2FindsNothing(t *testing.T) {
	dir, names := stripCanaries(t)
	found := map[string]bool{}
	args := append([]string{"-PEIXky", withMetadata(t, dir)}, names...)
	for line := range strings.Lines(run(t, dir, "exiv2", args...)) {
		fields := strings.Fields(line) // file, key, type
		if len(fields) < 2 {
			t.Fatalf("exiv2 prints %q", line)
		}
		found[fields[0]] = true
		structural := strings.HasSuffix(fields[0], ".tif") && tiffStructural[strings.TrimPrefix(fields[1], "Exif.Image.")]
		if fields[0] != "unstripped.jpg" && fields[1] != "Exif.Image.Orientation" && !structural {
			t.Errorf("%s", line)
		}
	}
	if !found["unstripped.jpg"] {
		t.Error("exiv2 finds nothing in a file that has Exif")
	}
}

func TestMat2FindsNothing(t *testing.T) {
	dir, names := stripCanaries(t)
	// Starting exiftool for each file takes long, so a place counts once.
	names = slices.DeleteFunc(names, func(name string) bool {
		return strings.Contains(name, "_after_IDAT.") || strings.Contains(name, "_after_the_scan.")
	})
	text := run(t, dir, "mat2", append([]string{"--show", withMetadata(t, dir)}, names...)...)
	file, silent, shown := "", 0, 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.Contains(line, "No metadata found in"):
			silent++
			file = ""
		case strings.HasSuffix(line, "is not supported"):
		case strings.HasPrefix(line, "[+] Metadata for "):
			file = strings.TrimSuffix(strings.TrimPrefix(line, "[+] Metadata for "), ":")
		case file == "unstripped.jpg":
			shown++
		case file != "" && !strings.HasPrefix(line, "Orientation:") && !strings.HasPrefix(line, "ExifByteOrder:") &&
			!mat2Structural[strings.SplitN(line, ":", 2)[0]]:
			t.Errorf("%s: %s", file, line)
		}
	}
	if shown < 3 || silent < 100 {
		t.Errorf("mat2 finds %d tags in a file that has Exif, and nothing in %d:\n%s", shown, silent, text)
	}
}

// mat2Structural are tags that mat2, which asks exiftool, takes for metadata although
// decoders need them.
var mat2Structural = map[string]bool{
	"DCTEncodeVersion": true, "APP14Flags0": true, "APP14Flags1": true, "ColorTransform": true, // APP14 Adobe
	"JFIFVersion": true, "ResolutionUnit": true, "XResolution": true, "YResolution": true,
	"AnimationFrames": true, "AnimationPlays": true, "ColorMap": true, "TransparentColor": true, "Palette": true, "Transparency": true, "Gamma": true, "SRGBRendering": true, "SignificantBits": true,
}

// TestGoexifFindsNothing reads the JPEG and TIFF files, which is what goexif knows.
func TestGoexifFindsNothing(t *testing.T) {
	dir, names := stripCanaries(t)
	read := 0
	for _, name := range append(names, withMetadata(t, dir)) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if sanitize.SniffImage(data) != sanitize.FormatJPEG {
			continue
		}
		x, err := exif.Decode(bytes.NewReader(data))
		if err != nil {
			continue // there is no Exif block
		}
		read++
		var found exifNames
		if err := x.Walk(&found); err != nil {
			t.Fatal(err)
		}
		if name == "unstripped.jpg" {
			if len(found) < 3 {
				t.Errorf("goexif finds %v in a file that has Exif", found)
			}
		} else if len(found) != 1 || found[0] != exif.Orientation {
			t.Errorf("%s: %v", name, found)
		}
	}
	if read < 2 {
		t.Errorf("goexif found a block in %d files", read)
	}
}

type exifNames []exif.FieldName

func (n *exifNames) Walk(name exif.FieldName, _ *tiff.Tag) error {
	*n = append(*n, name)
	return nil
}
