package sanitize_test

import (
	"context"
	"encoding/binary"
	"image"
	"os"
	"strings"

	"weir/sanitize"
	"weir/sanitize/internal/picture"
	"weir/sanitize/internal/webp"
)

// fourCC is a chunk of RIFF.
func fourCC(name, payload string) string {
	c := name + string(binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))) + payload
	if len(payload)%2 != 0 {
		c += "\x00"
	}
	return c
}

func webpFile(chunks ...string) string {
	body := "WEBP" + strings.Join(chunks, "")
	return "RIFF" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body
}

// webpChunks returns the payloads of a seed by name, of several the first.
func webpChunks(seed string) map[string]string {
	data, err := os.ReadFile("testdata/webp/" + seed)
	if err != nil {
		panic(err)
	}
	found := map[string]string{}
	for rest := string(data[12:]); rest != ""; {
		n := int(binary.LittleEndian.Uint32([]byte(rest[4:])))
		if _, ok := found[rest[:4]]; !ok {
			found[rest[:4]] = rest[8 : 8+n]
		}
		rest = rest[8+n+n%2:]
	}
	return found
}

// vp8x is the chunk for a picture of the seed's size.
func vp8x(flags byte, seed map[string]string) string {
	size := seed["VP8X"][4:]
	return fourCC("VP8X", string([]byte{flags, 0, 0, 0})+size)
}

var _ = registerPlaces(sanitize.FormatWebP, webpPlaces()...)

func webpPlaces() []place {
	var out []place
	add := func(name string, refuse sanitize.Reason, build func(m string) string) *place {
		out = append(out, place{name: name, refuse: refuse, build: build})
		return &out[len(out)-1]
	}
	addWebPMetadata(add)
	addWebPPicture(add)
	addWebPAnimation(add)
	return out
}

type addPlace = func(name string, refuse sanitize.Reason, build func(m string) string) *place

// addWebPMetadata adds places outside the picture.
func addWebPMetadata(add addPlace) {
	const exifFlag = 1 << 3
	lossy := func() map[string]string { return webpChunks("exif1.webp") }
	for _, c := range []struct {
		name, chunk, format string
		flags               byte
	}{
		{"ICCP", "ICCP", "%", 1 << 5}, {"XMP", "XMP ", "<x:xmpmeta>%</x:xmpmeta>", 1 << 2}, {"C2PA", "C2PA", "%", 0},
		{"JUNK", "JUNK", "%", 0}, {"private chunk", "prIv", "%", 0}, {"EXIF malformed", "EXIF", "%", exifFlag},
	} {
		chunk := func(m string) string { return fourCC(c.chunk, strings.ReplaceAll(c.format, "%", m)) }
		add(c.name, "", func(m string) string {
			return webpFile(vp8x(c.flags, lossy()), chunk(m), fourCC("VP8 ", lossy()["VP8 "]))
		})
		add(c.name+" behind the picture", "", func(m string) string {
			return webpFile(vp8x(c.flags, lossy()), fourCC("VP8 ", lossy()["VP8 "]), chunk(m))
		})
		add(c.name+" behind a simple picture", "", func(m string) string {
			return webpFile(fourCC("VP8 ", lossy()["VP8 "]), chunk(m))
		})
	}
	withExif := func(flags byte, blocks ...string) string {
		chunks := []string{vp8x(flags, lossy()), fourCC("VP8 ", lossy()["VP8 "])}
		for _, b := range blocks {
			chunks = append(chunks, fourCC("EXIF", b))
		}
		return webpFile(chunks...)
	}
	add("EXIF", "", func(m string) string { return withExif(exifFlag, tiffBlock(m)) })
	add("EXIF with prefix", "", func(m string) string { // of which exiftool warns as long as the orientation stays
		return withExif(exifFlag, "Exif\x00\x00"+strings.Replace(tiffBlock(m), "\x00\x01\x00\x06", "\x00\x01\x00\x01", 1))
	})
	add("EXIF without flag", "", func(m string) string { return withExif(0, tiffBlock(m)) })
	add("EXIF repeated", "", func(m string) string { return withExif(exifFlag, tiffBlock("nothing"), tiffBlock(m)) })
	add("name of a chunk", "", func(m string) string {
		return webpFile(fourCC("VP8 ", lossy()["VP8 "]), fourCC(m[:4], ""), fourCC(m[4:8], ""))
	}).absent = "CANA"
	add("after RIFF", "", func(m string) string { return webpFile(fourCC("VP8 ", lossy()["VP8 "])) + m })
	add("ZIP after RIFF", "", func(m string) string {
		return webpFile(fourCC("VP8 ", lossy()["VP8 "])) + "PK\x03\x04" + m
	})
	add("VP8X reserved bytes", "", func(m string) string {
		alpha := webpChunks("alpha.webp")
		return webpFile(fourCC("VP8X", "\x10"+m[:3]+alpha["VP8X"][4:]), fourCC("ALPH", alpha["ALPH"]), fourCC("VP8 ", alpha["VP8 "]))
	}).absent = "CAN"
	add("VP8X reserved flags", sanitize.ImageMalformed, func(m string) string {
		return webpFile(vp8x(m[0], lossy()), fourCC("VP8 ", lossy()["VP8 "]), fourCC("XMP ", m))
	})
	add("VP8X tail", sanitize.ImageMalformed, func(m string) string {
		return webpFile(fourCC("VP8X", lossy()["VP8X"]+m), fourCC("VP8 ", lossy()["VP8 "]))
	})
	add("before RIFF", sanitize.ImageFormatUnknown, func(m string) string { return m + webpFile(fourCC("VP8 ", lossy()["VP8 "])) })
	add("first chunk", sanitize.ImageMalformed, func(m string) string {
		return webpFile(fourCC("JUNK", m), fourCC("VP8 ", lossy()["VP8 "]))
	})
	add("between the last chunk and the end of RIFF", sanitize.ImageMalformed, func(m string) string {
		return webpFile(fourCC("VP8 ", lossy()["VP8 "]), m[:6])
	})
}

// addWebPPicture adds places in the chunks of a picture.
func addWebPPicture(add addPlace) {
	lossy := func() string { return webpChunks("lossy.webp")["VP8 "] }
	add("VP8 tail", "", func(m string) string { return webpFile(fourCC("VP8 ", lossy()+m)) })
	add("VP8 first partition tail", "", func(m string) string {
		p := []byte(lossy())
		tag := uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16
		first := 10 + int(tag>>5)
		longer := binary.LittleEndian.AppendUint32(nil, tag+uint32(len(m))<<5)[:3]
		return webpFile(fourCC("VP8 ", string(longer)+string(p[3:first])+m+string(p[first:])))
	})
	add("VP8 scaling bits", "", func(m string) string {
		p := []byte(lossy())
		p[7] |= 0x40
		p[9] |= 0xC0
		return webpFile(fourCC("VP8 ", string(p)))
	}).absent = "\x9D\x01\x2A\x46\x40\x32\xC0"
	add("VP8 second picture", sanitize.ImageTooManyFrames, func(m string) string {
		return webpFile(fourCC("VP8 ", lossy()), fourCC("VP8 ", lossy()+m))
	})
	lossless := func() string { return webpChunks("lossless.webp")["VP8L"] }
	add("VP8L tail", "", func(m string) string { return webpFile(fourCC("VP8L", lossless()+m)) })
	add("VP8L version", sanitize.ImageMalformed, func(m string) string {
		p := []byte(lossless())
		p[4] |= 0xE0
		return webpFile(fourCC("VP8L", string(p)+m))
	})
	raw := webpChunks("alpha_raw.webp") // of which ALPH has an odd length
	add("pad byte", "", func(m string) string {
		alpha := fourCC("ALPH", raw["ALPH"])
		return webpFile(fourCC("VP8X", raw["VP8X"]), alpha[:len(alpha)-1]+m[:1], fourCC("VP8 ", raw["VP8 "]))
	}).absent = raw["ALPH"][len(raw["ALPH"])-4:] + "CVP8 "
	for _, seed := range []string{"alpha.webp", "alpha_raw.webp"} {
		chunks := func() (head, alpha, picture string) {
			c := webpChunks(seed)
			return fourCC("VP8X", c["VP8X"]), c["ALPH"], fourCC("VP8 ", c["VP8 "])
		}
		add("ALPH tail of "+seed, "", func(m string) string {
			head, alpha, picture := chunks()
			return webpFile(head, fourCC("ALPH", alpha+m), picture)
		})
		add("behind ALPH of "+seed, sanitize.ImageMalformed, func(m string) string {
			head, alpha, picture := chunks()
			return webpFile(head, fourCC("ALPH", alpha), fourCC("JUNK", m), picture)
		})
		add("second ALPH of "+seed, sanitize.ImageMalformed, func(m string) string {
			head, alpha, picture := chunks()
			return webpFile(head, fourCC("ALPH", m), fourCC("ALPH", alpha), picture)
		})
		add("ALPH behind the picture of "+seed, sanitize.ImageMalformed, func(m string) string {
			head, alpha, picture := chunks()
			return webpFile(head, fourCC("ALPH", alpha), picture, fourCC("ALPH", m))
		})
	}
	add("colour under alpha 0", "", func(m string) string {
		img := image.NewNRGBA(image.Rect(0, 0, 16, 4))
		for i := range img.Pix {
			img.Pix[i] = m[i/4%len(m)]
			if i%4 == 3 {
				img.Pix[i] = 0
			}
		}
		data, err := webp.Encode(context.Background(), img, 0, picture.Options{})
		if err != nil {
			panic(err)
		}
		return string(data)
	}).underAlpha0 = true
}

// addWebPAnimation adds places in animations.
func addWebPAnimation(add addPlace) {
	animation := func(anim, tail string, frames ...string) string {
		c := webpChunks("animation.webp")
		chunks := []string{vp8x(1<<1, c), fourCC("ANIM", anim)}
		for _, f := range frames {
			chunks = append(chunks, fourCC("ANMF", f))
		}
		return webpFile(append(chunks, tail)...)
	}
	frame := func() string { return webpChunks("animation.webp")["ANMF"] }
	add("ANMF refused", sanitize.ImageTooManyFrames, func(m string) string {
		return animation("\x00\x00\x00\x00\x00\x00", "", frame(), frame()+fourCC("JUNK", m))
	})
	for _, policy := range []string{sanitize.AnimationFirst, sanitize.AnimationKeep} {
		o := sanitize.ImageOptions{Animation: policy}
		named := func(name string, refuse sanitize.Reason, build func(m string) string) *place {
			p := add(name+", animation: "+policy, refuse, build)
			p.options = o
			return p
		}
		named("ANIM background", "", func(m string) string { return animation(m[:4]+"\x00\x00", "", frame(), frame()) }).absent = "CANA"
		named("ANIM tail", "", func(m string) string { return animation("\x00\x00\x00\x00\x00\x00"+m, "", frame(), frame()) })
		named("ANMF chunk", "", func(m string) string {
			return animation("\x00\x00\x00\x00\x00\x00", "", frame()+fourCC("JUNK", m), frame())
		})
		named("ANMF chunk of a later frame", "", func(m string) string {
			return animation("\x00\x00\x00\x00\x00\x00", "", frame(), frame()+fourCC("EXIF", tiffBlock(m)))
		})
		named("XMP behind the frames", "", func(m string) string {
			return animation("\x00\x00\x00\x00\x00\x00", fourCC("XMP ", m), frame(), frame())
		})
		named("ANMF chunk before the picture", sanitize.ImageMalformed, func(m string) string {
			return animation("\x00\x00\x00\x00\x00\x00", "", frame()[:16]+fourCC("JUNK", m)+frame()[16:])
		})
		named("second ANIM", sanitize.ImageMalformed, func(m string) string {
			return animation("\x00\x00\x00\x00\x00\x00", fourCC("ANIM", m), frame())
		})
	}
}
