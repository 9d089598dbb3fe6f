package sanitize_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"weir/sanitize"
)

// A text that is an image, in whatever form, is refused; one that speaks of images,
// or looks like base64, is not.
func TestTextHoldsImage(t *testing.T) {
	jpeg, png := string(source(t, "baseline420.jpg")), string(source(t, "rgb8.png"))
	std, raw, urls := base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding
	images := map[string]string{
		"GIF in letters":                            "GIF89a is what files begin with",
		"JPEG":                                      jpeg,
		"base64":                                    std.EncodeToString([]byte(png)),
		"base64, no padding":                        raw.EncodeToString([]byte(jpeg)),
		"base64 for URLs":                           urls.EncodeToString([]byte(jpeg)),
		"base64 with line breaks":                   "\n" + std.EncodeToString([]byte(png))[:40] + "\r\n" + std.EncodeToString([]byte(png))[40:] + "\n",
		"the head of base64":                        std.EncodeToString([]byte(png))[:32],
		"base64 behind a joiner":                    "\u200b" + std.EncodeToString([]byte(png)),
		"base64 with joiners":                       std.EncodeToString([]byte(png))[:40] + "\u2060" + std.EncodeToString([]byte(png))[40:],
		"data: URI":                                 "data:image/png;base64," + std.EncodeToString([]byte(png)),
		"data: URI of another type":                 "DATA:text/plain;charset=utf-8;BASE64," + std.EncodeToString([]byte(png)),
		"data: URI and a question":                  " data:image/jpeg;base64," + std.EncodeToString([]byte(jpeg)) + " what is this?",
		"data: URI without base64":                  "data:image/jpeg,%ff%d8%ff%e0%00%10JFIF",
		"a short data: URI":                         "data:,GIF89a",
		"base64 behind what Python's decoder skips": "!" + std.EncodeToString([]byte(png)),
		"base64 behind padding":                     "=" + std.EncodeToString([]byte(jpeg)),
		"base64 in quotes":                          `"` + std.EncodeToString([]byte(jpeg)) + `"`,
		"base64 with dots between":                  strings.Join(strings.Split(std.EncodeToString([]byte(png)), ""), "."),
		"base64 and more":                           std.EncodeToString([]byte(png)) + ": what is this?",
		"base64 with the other alphabet's letters":  "-_" + std.EncodeToString([]byte(png)),
		"data: URI, escaped":                        "data:image/png;base64,%69" + std.EncodeToString([]byte(png))[1:],
		"data: URI with a space":                    "data:image/png; base64 ," + std.EncodeToString([]byte(png)),
		"data: URI with a long head":                "data:image/png;x=" + strings.Repeat("x", 300) + ";base64," + std.EncodeToString([]byte(png)),
		"data: URI with junk":                       "data:image/png;base64,!" + std.EncodeToString([]byte(png)),
	}
	for name, text := range images {
		_, _, err := sanitize.Text([]byte(text), sanitize.TextOptions{})
		var refusal *sanitize.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != sanitize.TextHoldsImage {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"a word":                   "iVBORw0KGgo",
		"a path":                   "/9j/",
		"a path of some length":    "/9j/and/so/on/with.a/dot/" + strings.Repeat("x", 40),
		"speaks of an image":       "Why does my file begin with iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB and so on?",
		"speaks of a URI":          "data:image/png;base64, is how it begins",
		"a URI without an image":   "data:text/plain;base64," + std.EncodeToString([]byte("just a text, and no file at all")),
		"a URI cut in an escape":   "data:," + strings.Repeat("%41", 63) + "%4",
		"base64 of a text":         std.EncodeToString([]byte(strings.Repeat("a text in base64 ", 9))),
		"a digest":                 hex.EncodeToString([]byte(png)[:32]),
		"MM and BM and GIF, words": "BMW, MMORPG, GIF8",
		"a colon":                  "data: none, or little",
		"percent signs":            "data:text/plain,100% of 50%, and %zz",
	} {
		if out, _, err := sanitize.Text([]byte(text), sanitize.TextOptions{}); err != nil || string(out) != text {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
}
