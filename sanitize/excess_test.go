package sanitize_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"weir/sanitize"
)

// What is over a limit tells by how much; counts stop at the first one too many.
func TestExcess(t *testing.T) {
	base, progressive := string(source(t, "baseline420.jpg")), string(source(t, "progressive.jpg")) // 61 × 45
	image := func(data string, l sanitize.ImageLimits, profile string) error {
		_, _, err := sanitize.Image(context.Background(), []byte(data), sanitize.ImageOptions{Limits: l, Profile: profile})
		return err
	}
	text := func(data, profile string) error {
		_, _, err := sanitize.Text([]byte(data), sanitize.TextOptions{MaxBytes: 12, Profile: profile})
		return err
	}
	// beside the JFIF segment of 18 bytes, a comment of 999 in a segment of 4 more
	comment := replaced(t, base, "\xFF\xDB", segment(0xFE, strings.Repeat("x", 999))+"\xFF\xDB")
	for name, tc := range map[string]struct {
		err  error
		want sanitize.Excess
	}{
		"bytes":         {image(base, sanitize.ImageLimits{MaxBytes: len(base) - 1}, ""), sanitize.Excess{Of: "bytes", Value: int64(len(base)), Limit: int64(len(base) - 1)}},
		"pixels":        {image(base, sanitize.ImageLimits{MaxPixels: 2000}, ""), sanitize.Excess{Of: "pixels", Value: 61 * 45, Limit: 2000}},
		"side":          {image(base, sanitize.ImageLimits{MaxSide: 50}, ""), sanitize.Excess{Of: "pixels a side", Value: 61, Limit: 50}},
		"segments":      {image(base, sanitize.ImageLimits{MaxSegments: 3}, ""), sanitize.Excess{Of: "segments", Value: 4, Limit: 3}},
		"metadata":      {image(comment, sanitize.ImageLimits{MaxMetadataBytes: 500}, ""), sanitize.Excess{Of: "bytes of metadata", Value: 18 + 1003, Limit: 500}},
		"scans":         {image(progressive, sanitize.ImageLimits{MaxScans: 2}, ""), sanitize.Excess{Of: "scans", Value: 3, Limit: 2}},
		"decoded":       {image(base, sanitize.ImageLimits{MaxDecodedBytes: 1000}, "light"), sanitize.Excess{Of: "decoded bytes", Value: 64 * 48 * 3 / 2 * 4, Limit: 1000}},
		"text":          {text("thirteen byte", ""), sanitize.Excess{Of: "bytes", Value: 13, Limit: 12}},
		"text, NFKC":    {text("\uFDFA", "strict"), sanitize.Excess{Of: "bytes", Value: 33, Limit: 12}},
		"another cause": {image("just a text", sanitize.ImageLimits{}, ""), sanitize.Excess{}},
	} {
		var refusal *sanitize.Refusal
		if !errors.As(tc.err, &refusal) || refusal.Excess != tc.want {
			t.Errorf("%s: %+v, want %+v", name, refusal, tc.want)
		}
	}
}
