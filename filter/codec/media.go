package codec

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"

	"weir/sanitize"
)

// imageFormats are those that Weir reads. Their media types are image/ and the name
// (IANA's list of image types).
var imageFormats = sanitize.ImageFormats()

// ImageType is the media type of the file of an image by its content; "" if it is none
// that Weir reads.
func ImageType(file []byte) string {
	if format := sanitize.SniffImage(file); slices.Contains(imageFormats, format) {
		return "image/" + format
	}
	return ""
}

// AppendBase64 decodes base64 (RFC 4648 §4) that is in its one canonical form: the
// standard alphabet, padded, without white space and with no bits left over. Parsers
// differ on all others. The error is a *Refusal.
func AppendBase64(dst, text []byte) ([]byte, error) {
	if bytes.IndexByte(text, '\r') >= 0 || bytes.IndexByte(text, '\n') >= 0 { // Go's decoder skips both
		return nil, errBase64
	}
	dst, err := base64.StdEncoding.Strict().AppendDecode(dst, text)
	if err != nil {
		return nil, errBase64
	}
	return dst, nil
}

var errBase64 = Refuse(InputDataInvalid, "base64 must be in canonical form: padded, without white space")

// CutImageURI returns what follows the comma of a data: URI (RFC 2397) of an image in
// base64, a view into uri:
//
//	data:image/png;base64,… (or another format that Weir reads), without parameters
//
// Many clients write jpg for jpeg; the name counts for nothing, and is written afresh.
// The URI of anything that a server would have to fetch is refused, for it could be
// anything. The error is a *Refusal.
func CutImageURI(uri []byte) (text []byte, err error) {
	rest, ok := bytes.CutPrefix(uri, []byte("data:"))
	if !ok {
		return nil, Refuse(RemoteContentDenied, "images must be in the request, as data: URIs")
	}
	head, text, comma := bytes.Cut(rest, []byte(","))
	media, ok := strings.CutSuffix(string(head[:min(len(head), 32)]), ";base64")
	format, image := strings.CutPrefix(media, "image/")
	if !ok || !comma || !image || format != "jpg" && !slices.Contains(imageFormats, format) {
		return nil, Refuse(InputDataInvalid, "an image must begin with data:image/png;base64, (or jpeg, webp, gif, tiff, bmp)")
	}
	return text, nil
}

// AppendImageURI writes a file as a data: URI under the media type of what it is. The
// error, of a file that is no image, is a *Refusal.
func AppendImageURI(dst, file []byte) ([]byte, error) {
	media := ImageType(file)
	if media == "" {
		return nil, Refuse(InputDataInvalid, "an image is not PNG, JPEG, WebP, GIF, TIFF or BMP")
	}
	dst = append(append(append(dst, "data:"...), media...), ";base64,"...)
	return base64.StdEncoding.AppendEncode(dst, file), nil
}
