package openai

import (
	"bytes"

	"weir/filter/codec"
)

// imageURL reads the URL of an image, which must hold the image itself:
//
//	data:image/png;base64,… (or jpeg, webp, gif, tiff, bmp), without parameters
//
// What the server would have to fetch is refused, for it could be anything.
func imageURL(r *reader) error {
	url, err := r.word()
	if err != nil {
		return err
	}
	data, err := codec.CutImageURI(url)
	if err != nil {
		return err
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

// appendBase64 decodes the file of an image or of audio, which is never empty.
func appendBase64(dst, data []byte) ([]byte, error) {
	if len(data) == 0 {
		return nil, codec.Refuse(codec.InputDataInvalid, "a file is empty")
	}
	return codec.AppendBase64(dst, data)
}
