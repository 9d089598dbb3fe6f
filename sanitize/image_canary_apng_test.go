package sanitize_test

import (
	"encoding/binary"
	"strings"

	"weir/sanitize"
)

var _ = registerPlaces(sanitize.FormatPNG, apngPlaces()...)

// apng is an animation of three grey frames of 32 × 4 pixels, chunk by chunk. The
// second covers a part of the picture.
type apng struct {
	plays                   string // four bytes
	first, second, third    string // what fcTL says after the sequence number
	still, part, last       string // zlib streams
	between, behind, before string // chunks and bytes of no animation
}

func be32(v ...uint32) string {
	var b []byte
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return string(b)
}

func greyFrame(width, height int, grey byte) string {
	return strings.Repeat("\x00"+strings.Repeat(string([]byte{grey}), width), height)
}

func newAPNG() apng {
	const tail = "\x00\x01\x00\x0A\x00\x00" // a tenth of a second, no disposal, no blending
	return apng{
		plays: be32(0),
		first: be32(32, 4, 0, 0) + tail, second: be32(8, 2, 20, 1) + tail, third: be32(32, 4, 0, 0) + tail,
		still: deflate(greyFrame(32, 4, 10)), part: deflate(greyFrame(8, 2, 120)), last: deflate(greyFrame(32, 4, 200)),
	}
}

func (a apng) file() string {
	return pngHead(8, 0) + a.before + chunk("acTL", be32(3)+a.plays) + chunk("fcTL", be32(0)+a.first) +
		chunk("IDAT", a.still) + chunk("fcTL", be32(1)+a.second) + chunk("fdAT", be32(2)+a.part) + a.between +
		chunk("fcTL", be32(3)+a.third) + chunk("fdAT", be32(4)+a.last) + chunk("IEND", "") + a.behind
}

// apngPlaces are the places of an animation, where it stays and where only its still
// picture does.
func apngPlaces() []place {
	var out []place
	add := func(name string, refuse sanitize.Reason, absent string, build func(a *apng, m string)) {
		for _, animation := range []string{sanitize.AnimationKeep, sanitize.AnimationFirst} {
			p := place{name: name + ", animation " + animation, absent: absent,
				options: sanitize.ImageOptions{Animation: animation, Limits: sanitize.ImageLimits{MaxFrames: 3}},
				build: func(m string) string {
					a := newAPNG()
					build(&a, m)
					return a.file()
				}}
			if animation == sanitize.AnimationKeep {
				p.refuse = refuse
			}
			out = append(out, p)
		}
	}
	add("acTL plays", "", "CANA", func(a *apng, m string) { a.plays = m[:4] })
	add("acTL tail", sanitize.ImageMalformed, "", func(a *apng, m string) { a.plays += m })
	add("fcTL tail", sanitize.ImageMalformed, "", func(a *apng, m string) { a.second += m })
	add("fdAT after the zlib stream", "", "", func(a *apng, m string) { a.part += m })
	add("fdAT beyond the last row", sanitize.ImageMalformed, "", func(a *apng, m string) {
		a.part = deflate(greyFrame(8, 2, 120) + m)
	})
	add("frame outside of the picture", sanitize.ImageMalformed, "", func(a *apng, m string) {
		a.second = be32(uint32(len(m)), 1, 1000, 0) + a.second[16:]
		a.part = deflate("\x00" + m)
	})
	add("text among the frames", "", "", func(a *apng, m string) { a.between = chunk("tEXt", "Comment\x00"+m) })
	add("private chunk among the frames", "", "", func(a *apng, m string) { a.between = chunk("prIv", m) })
	add("text before the animation", "", "", func(a *apng, m string) { a.before = chunk("tEXt", "Comment\x00"+m) })
	add("data after the animation", "", "", func(a *apng, m string) { a.behind = m })
	out = append(out, place{name: "samples of a frame that goes",
		options: sanitize.ImageOptions{Animation: sanitize.AnimationFirst},
		build: func(m string) string {
			a := newAPNG()
			a.last = deflate(strings.Repeat("\x00"+m+m+m[:4], 4))
			return a.file()
		}})
	out = append(out, place{name: "still picture that is no frame", refuse: sanitize.ImageMalformed,
		options: sanitize.ImageOptions{Animation: sanitize.AnimationKeep, Limits: sanitize.ImageLimits{MaxFrames: 3}},
		build: func(m string) string {
			return pngHead(8, 0) + chunk("acTL", be32(1, 0)) + chunk("IDAT", deflate(strings.Repeat("\x00"+m+m+m[:4], 4))) +
				chunk("fcTL", be32(0)+newAPNG().first) + chunk("fdAT", be32(1)+newAPNG().last) + chunk("IEND", "")
		}})
	return out
}
