package sanitize_test

import (
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"strings"

	"weir/sanitize"
)

var _ = registerPlaces(sanitize.FormatGIF, gifPlaces()...)

// gifTable is a colour table of 16 entries, of which the first eight are colours.
func gifTable(rest string) string {
	colours := "\x10\x20\x30\x40\x50\x60\x70\x80\x90\xA0\xB0\xC0\xD0\xE0\xF0\x11\x22\x33\x44\x55\x66\x77\x88\x99"
	return (colours + rest + strings.Repeat("\x00", 24))[:48]
}

// gifImage is the LZW data of 16 × 4 pixels of the first eight colours, behind its code
// width, as one sub-block without the terminator.
func gifImage() string {
	var b bytes.Buffer
	w := lzw.NewWriter(&b, lzw.LSB, 4)
	for i := range 16 * 4 {
		if _, err := w.Write([]byte{byte(i * 5 % 8)}); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return "\x04" + subBlock(b.String())
}

func subBlock(text string) string { return string([]byte{byte(len(text))}) + text }

// gifFrame is a frame over the canvas; local is its colour table, or "".
func gifFrame(local string) string {
	flags := "\x00"
	if local != "" {
		flags = "\x83"
	}
	return ",\x00\x00\x00\x00\x10\x00\x04\x00" + flags + local + gifImage() + "\x00"
}

// gifFile puts blocks between the screen descriptor and the trailer.
func gifFile(blocks ...string) string { return gifScreen("\x83\x00\x00", gifTable(""), blocks...) }

// gifScreen has the flags, the background index and the aspect ratio of its own.
func gifScreen(descriptor, table string, blocks ...string) string {
	return "GIF89a\x10\x00\x04\x00" + descriptor + table + strings.Join(blocks, "") + ";"
}

func gifApplication(name, text string) string {
	return "!\xFF" + subBlock(name) + subBlock(text) + "\x00"
}

// gifControl declares an index as transparent.
func gifControl(index byte) string { return "!\xF9\x04\x01\x00\x00" + string([]byte{index, 0}) }

func gifPlaces() []place {
	var out []place
	add := func(name string, refuse sanitize.Reason, build func(m string) string) *place {
		out = append(out, place{name: name, refuse: refuse, build: build})
		return &out[len(out)-1]
	}
	addGIFExtensions(add)
	addGIFPicture(add)
	addGIFFrames(add)
	return out
}

// addGIFExtensions adds places in blocks that are not picture.
func addGIFExtensions(add addPlace) {
	for _, p := range []struct {
		name  string
		build func(m string) string
	}{
		{"comment", func(m string) string { return gifFile("!\xFE"+subBlock(m)+"\x00", gifFrame("")) }},
		{"comment of two blocks", func(m string) string { return gifFile("!\xFE"+subBlock("x")+subBlock(m)+"\x00", gifFrame("")) }},
		{"comment behind", func(m string) string { return gifFile(gifFrame(""), "!\xFE"+subBlock(m)+"\x00") }},
		{"private application", func(m string) string { return gifFile(gifApplication("MYAPP   1.0", m), gifFrame("")) }},
		{"application name", func(m string) string { return gifFile(gifApplication(m[:11], "text"), gifFrame("")) }},
		{"ICC profile", func(m string) string { return gifFile(gifApplication("ICCRGBG1012", m), gifFrame("")) }},
		{"C2PA", func(m string) string { return gifFile(gifApplication("C2PA_GIF\x01\x00\x00", m), gifFrame("")) }},
		{"XMP", func(m string) string {
			trailer := "\x01"
			for i := 255; i >= 0; i-- {
				trailer += string([]byte{byte(i)})
			}
			packet := "<?xpacket begin=''?>" + m + strings.Repeat("A", 230) // its bytes are lengths to a reader of blocks
			return gifFile("!\xFF"+subBlock("XMP DataXMP")+packet+trailer+"\x00", gifFrame(""))
		}},
		{"loop with more", func(m string) string {
			return gifFile("!\xFF"+subBlock("NETSCAPE2.0")+subBlock("\x01\x00\x00")+subBlock(m)+"\x00", gifFrame(""))
		}},
		{"plain text", func(m string) string {
			return gifFile("!\x01"+subBlock("\x00\x00\x00\x00\x10\x00\x04\x00\x08\x08\x01\x00")+subBlock(m)+"\x00", gifFrame(""))
		}},
		{"after the trailer", func(m string) string { return gifFile(gifFrame("")) + m }},
		{"ZIP after the trailer", func(m string) string { return gifFile(gifFrame("")) + "PK\x03\x04" + m }},
	} {
		add(p.name, "", p.build)
	}
	add("loop of a still picture", "", func(m string) string {
		return gifFile(gifApplication("NETSCAPE2.0", "\x01CA"), gifFrame(""))
	}).absent = "NETSCAPE2.0"
	add("unknown extension", sanitize.ImageMalformed, func(m string) string {
		return gifFile("!\x42"+subBlock(m)+"\x00", gifFrame(""))
	})
	add("stray bytes", sanitize.ImageMalformed, func(m string) string { return gifFile(m, gifFrame("")) })
	add("long graphic control", sanitize.ImageMalformed, func(m string) string {
		return gifFile("!\xF9"+subBlock("\x00"+m)+"\x00", gifFrame(""))
	})
	add("before the signature", sanitize.ImageFormatUnknown, func(m string) string { return m + gifFile(gifFrame("")) })
}

// addGIFPicture adds places in the tables, the descriptors and the image data.
func addGIFPicture(add addPlace) {
	add("unused colours", "", func(m string) string { return gifScreen("\x83\x00\x00", gifTable(m), gifFrame("")) })
	add("unused local colours", "", func(m string) string { return gifFile(gifFrame(gifTable(m))) })
	add("unused global table", "", func(m string) string {
		return gifScreen("\x83\x00\x00", (m + gifTable(""))[:48], gifFrame(gifTable("")))
	})
	add("screen flags and aspect ratio", "", func(m string) string {
		return gifScreen("\xCB\x05\x43", gifTable(""), gifFrame(""))
	}).absent = "\xCB\x05\x43"
	add("frame flags", "", func(m string) string {
		return gifFile(strings.Replace(gifFrame(""), "\x04\x00\x00", "\x04\x00\x3F", 1))
	}).absent = "\x04\x00\x3F"
	add("delay of a still picture", "", func(m string) string {
		return gifFile("!\xF9\x04\x00CA\x00\x00", gifFrame(""))
	}).absent = "\x04\x00CA"
	add("reserved bits of a control", "", func(m string) string {
		return gifFile("!\xF9\x04\xE1\x00\x00\x03\x00", gifFrame(""))
	}).absent = "\xF9\x04\xE1"
	add("transparent index of no pixel", "", func(m string) string {
		return gifFile(gifControl('C'), gifFrame(""))
	}).absent = "\x04\x01\x00\x00C"
	image := gifImage()
	grown := string([]byte{image[1] + 14})
	add("behind the end code", sanitize.ImageMalformed, func(m string) string {
		return gifFile(strings.Replace(gifFrame(""), image[1:], grown+image[2:]+m, 1))
	})
	add("block behind the end code", sanitize.ImageMalformed, func(m string) string {
		return gifFile(strings.TrimSuffix(gifFrame(""), "\x00") + subBlock(m) + "\x00")
	})
	// Each of two frames has one pixel, which is transparent, and its colour is one half
	// of the mark.
	p := add("colours of transparent pixels", "", func(m string) string {
		frame := func(index byte) string {
			codes := []byte{0x10 | index<<5, 0x11<<2 | index>>3} // clear, the index, end
			return gifControl(index) + ",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x04" + subBlock(string(codes)) + "\x00"
		}
		return gifScreen("\x83\x00\x00", gifTable(m[:6]), gifFrame(gifTable("")), frame(8), frame(9))
	})
	p.options.Animation, p.underAlpha0 = sanitize.AnimationKeep, true
}

// addGIFFrames adds places in further frames.
func addGIFFrames(add addPlace) {
	add("second frame", sanitize.ImageTooManyFrames, func(m string) string {
		return gifFile(gifFrame(""), gifFrame(gifTable(m)))
	})
	add("frames behind the first", "", func(m string) string {
		return gifFile(gifFrame(""), "!\xFE"+subBlock(m)+"\x00", gifFrame(gifTable(m)))
	}).options.Animation = sanitize.AnimationFirst
	add("comment between frames", "", func(m string) string {
		return gifFile(gifFrame(""), "!\xFE"+subBlock(m)+"\x00", gifFrame(""))
	}).options.Animation = sanitize.AnimationKeep
	add("unused colours of a second frame", "", func(m string) string {
		return gifFile(gifFrame(""), gifFrame(gifTable(m)))
	}).options.Animation = sanitize.AnimationKeep
	add("frame of no pixels", sanitize.ImageMalformed, func(m string) string {
		return gifFile(",\x00\x00\x00\x00\x00\x00\x04\x00\x83"+gifTable(m)+"\x04\x00", gifFrame(""))
	})
	add("frame off the canvas", sanitize.ImageMalformed, func(m string) string {
		return gifFile(",\x10\x00\x00\x00\x10\x00\x04\x00\x83"+gifTable(m)+gifImage()+"\x00", gifFrame(""))
	})
	add("canvas around a small frame", sanitize.ImageUnsupported, func(m string) string {
		canvas := binary.LittleEndian.AppendUint16(nil, 40)
		return "GIF89a" + string(canvas) + "\x28\x00\x83\x0A\x00" + gifTable(m) + gifFrame("") + ";"
	})
}
