//go:build e2e

package e2e

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"io"
	"strings"
	"testing"
)

var (
	gzipHeader    = []string{"Content-Encoding: gzip"}
	deflateHeader = []string{"Content-Encoding: deflate"}
)

// Triton inflates gzip and zlib alike, whatever the header says, up to the end of
// the first member, and looks neither at what follows nor at checksums; what it
// cannot inflate is an empty body.
func TestTrick18ContentCodings(t *testing.T) {
	const unsupported = "encoding_invalid"
	evil, harmless := gzipped(text(`"evil"`)), gzipped(text(`"good"`))
	damaged := []byte(evil)
	damaged[len(damaged)-5] ^= 1
	reads := func(name, body string, headers []string) trick {
		return trick{name: name, body: body, headers: headers, reads: "evil", reason: unsupported}
	}
	fails := func(name, body string, headers []string, status int) trick {
		return trick{name: name, body: body, headers: headers, fails: status, reason: unsupported}
	}
	run(t,
		trick{name: "gzip", body: evil, headers: gzipHeader, reads: "evil", clean: "evil"},
		trick{name: "deflate", body: deflated(text(`"evil"`)), headers: deflateHeader, reads: "evil", clean: "evil"},
		reads("two members", evil+harmless, gzipHeader),
		reads("bytes after it", evil+"x", gzipHeader),
		reads("zeros after it", evil+"\x00\x00\x00\x00", gzipHeader),
		reads("bytes after deflate", deflated(text(`"evil"`))+"x", deflateHeader),
		reads("a checksum that is wrong", string(damaged), gzipHeader),
		reads("no checksum", evil[:len(evil)-8], gzipHeader),
		reads("gzip as deflate", evil, deflateHeader),
		reads("deflate as gzip", deflated(text(`"evil"`)), gzipHeader),
		fails("one document in two members", gzipped(text(`"evil"`)[:20])+gzipped(text(`"evil"`)[20:]), gzipHeader, fault),
		fails("cut short", evil[:len(evil)/2], gzipHeader, fault),
		fails("raw deflate", rawDeflated(text(`"evil"`)), deflateHeader, bad),
		fails("plain as gzip", text(`"evil"`), gzipHeader, bad),
		trick{name: "gzip as plain", body: evil, fails: fault, reason: "json_malformed"},
		trick{name: "gzip as identity", body: evil, headers: []string{"Content-Encoding: identity"}, fails: fault, reason: "json_malformed"},
		trick{name: "gzip twice", body: gzipped(evil), headers: gzipHeader, fails: fault, reason: "json_malformed"},
		// Nothing limits what this Triton inflates to. 3 MiB of white space are below
		// the largest body, but not in this proportion.
		trick{name: "a bomb", body: gzipped(strings.Repeat(" ", 3<<20) + text(`"evil"`)), headers: gzipHeader, reads: "evil", reason: "body_too_large"},
		trick{name: "a body that is too large", body: huffman(noise(5<<20) + text(`"evil"`)), headers: gzipHeader, reads: "evil", reason: "body_too_large"},
	)
}

// noise is white space that compresses to about a quarter.
func noise(n int) string {
	b, state := make([]byte, n), uint32(1)
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = " \t\n\r"[state>>30]
	}
	return string(b)
}

// huffman is gzip that takes no time.
func huffman(text string) string {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.HuffmanOnly)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return out.String()
}

func rawDeflated(text string) string {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestCompression)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return out.String()
}

// Triton takes exactly its own names, of the first line.
func TestTrick19NamesOfContentCodings(t *testing.T) {
	const unsupported = "encoding_unsupported"
	evil := gzipped(text(`"evil"`))
	var tricks []trick
	for _, value := range []string{"GZIP", "x-gzip", "gzip, gzip", "identity, gzip", "gzip;q=1", "br", "zstd", "compress", "*"} {
		tricks = append(tricks, trick{name: value, body: evil, headers: []string{"Content-Encoding: " + value}, fails: 501, reason: unsupported})
	}
	two := func(first, second string) []string {
		return []string{"Content-Encoding: " + first, "Content-Encoding: " + second}
	}
	run(t, append(tricks,
		trick{name: "empty", body: text(`"evil"`), headers: []string{"Content-Encoding:"}, fails: 501, reason: unsupported},
		// Envoy joins the lines of this header.
		trick{name: "gzip and identity", body: evil, headers: two("gzip", "identity"), reads: "evil", reason: unsupported},
		trick{name: "identity and gzip", body: text(`"evil"`), headers: two("identity", "gzip"), reads: "evil", reason: unsupported},
		trick{name: "gzip and gzip", body: evil, headers: two("gzip", "gzip"), reads: "evil", reason: unsupported},
	)...)
	for _, lines := range [][]string{{"content-encoding: gzip", "content-encoding: identity"}, {"content-encoding: gzip", "content-encoding: gzip"}} {
		if got := shared.pastEnvoy(t, evil, lines...); got.reason != "header_duplicate" {
			t.Errorf("past Envoy, %q: %+v", lines, got)
		}
	}
}
