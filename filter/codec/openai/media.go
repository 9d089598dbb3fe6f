package openai

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"

	"weir/filter/codec"
)

// imageURL reads the URL of an image, which must hold the image itself:
//
//	data:image/png;base64,… (or jpeg, webp, gif), nothing else, and no parameters
//
// What the server would have to fetch is refused, for it could be anything.
func imageURL(r *reader) error {
	url, err := r.word()
	if err != nil {
		return err
	}
	rest, ok := bytes.CutPrefix(url, []byte("data:"))
	if !ok {
		return codec.Refuse(codec.RemoteContentDenied, "images must be in the request, as data: URIs")
	}
	head, data, _ := bytes.Cut(rest, []byte(","))
	media, ok := strings.CutSuffix(string(head[:min(len(head), 32)]), ";base64")
	if !ok || !slices.Contains(mediaTypes, media) {
		return codec.Refuse(codec.InputDataInvalid, "an image must begin with data:image/png;base64, (or jpeg, webp, gif)")
	}
	r.hole(imageHole, 0)
	return r.element(Image, func(dst []byte) ([]byte, error) { return appendBase64(dst, data) })
}

// audioFile reads the base64 form of a file of the format that is tells.
func audioFile(is func(file []byte) bool) read {
	return func(r *reader) error {
		data, err := r.word()
		if err != nil {
			return err
		}
		r.hole(audioHole, 0)
		return r.element(Audio, func(dst []byte) ([]byte, error) {
			start := len(dst)
			dst, err := appendBase64(dst, data)
			if err == nil && !is(dst[start:]) {
				err = codec.Refuse(codec.InputDataInvalid, "audio data is not of the format that it is said to be")
			}
			return dst, err
		})
	}
}

func isWAV(file []byte) bool {
	return len(file) >= 12 && string(file[:4]) == "RIFF" && string(file[8:12]) == "WAVE"
}

// isMP3 knows an ID3v2 tag and the sync word of an MPEG audio frame.
func isMP3(file []byte) bool {
	return bytes.HasPrefix(file, []byte("ID3")) || len(file) >= 2 && file[0] == 0xFF && file[1]&0xE0 == 0xE0
}

// appendBase64 decodes base64 (RFC 4648 §4) that is in its one canonical form: the
// standard alphabet, padded, without white space and with no bits left over.
func appendBase64(dst, data []byte) ([]byte, error) {
	if len(data) == 0 || bytes.IndexByte(data, '\r') >= 0 || bytes.IndexByte(data, '\n') >= 0 { // Go's decoder skips both
		return nil, errBase64
	}
	dst, err := base64.StdEncoding.Strict().AppendDecode(dst, data)
	if err != nil {
		return nil, errBase64
	}
	return dst, nil
}

var errBase64 = codec.Refuse(codec.InputDataInvalid, "base64 must be in canonical form: padded, without white space")
