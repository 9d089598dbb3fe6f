package upload

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

// part is one part of a form, its value a view into the body.
type part struct {
	name  string
	value []byte
}

// maxPartHeadBytes is the size of the headers of one part: names of files are short.
const maxPartHeadBytes = 2 << 10

// boundaryOf returns the boundary of a form, which content-type names; form is false for
// a body of another type. No other multipart type is taken, nor a boundary that readers
// could take for another (RFC 2046 §5.1.1).
func boundaryOf(headers codec.Headers) (boundary string, form bool, err error) {
	value, _, err := headers.Single("content-type")
	if err != nil {
		return "", false, err
	}
	media, parameters, _ := strings.Cut(value, ";")
	if media = strings.ToLower(strings.Trim(media, " \t")); !strings.HasPrefix(media, "multipart/") {
		return "", false, nil
	}
	name, boundary, ok := strings.Cut(strings.Trim(parameters, " \t"), "=")
	if media != "multipart/form-data" || !ok || !strings.EqualFold(name, "boundary") {
		return "", false, codec.Refuse(codec.HeaderInvalid, "content-type must be multipart/form-data; boundary=…, with no other parameter")
	}
	if n := len(boundary); n >= 2 && boundary[0] == '"' && boundary[n-1] == '"' {
		boundary = boundary[1 : n-1]
	}
	if boundary == "" || len(boundary) > 70 || strings.Trim(boundary, boundaryLetters) != "" {
		return "", false, codec.Refuse(codec.HeaderInvalid, "the boundary of a form has 1 to 70 letters, digits and ' ( ) + _ , - . / : = ?")
	}
	return boundary, true, nil
}

const (
	alphanumeric    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	boundaryLetters = alphanumeric + "'()+_,-./:=?" // bchars without the space
	// nameLetters are those of names that no reader of Content-Disposition unquotes.
	nameLetters = alphanumeric + "._-"
)

// ValidName reports whether a part of a form can have this name.
func ValidName(name string) bool { return name != "" && strings.Trim(name, nameLetters) == "" }

func malformed(format string, args ...any) error {
	return codec.Refuse(codec.MessageMalformed, "the form: "+format, args...)
}

// parts takes a form apart. See the package's comment for what it reads.
func (c *Codec) parts(body []byte, boundary string) ([]part, error) {
	delimiter := []byte("\r\n--" + boundary)
	rest, ok := bytes.CutPrefix(body, delimiter[2:])
	if !ok {
		return nil, malformed("it does not begin with its boundary")
	}
	var parts []part
	for {
		switch {
		case bytes.Equal(rest, []byte("--")), bytes.Equal(rest, []byte("--\r\n")):
			if len(parts) == 0 {
				return nil, malformed("it has no parts")
			}
			return parts, nil
		case !bytes.HasPrefix(rest, []byte("\r\n")):
			return nil, malformed("a boundary is followed by neither a part nor the end")
		case len(parts) == c.limits.MaxParts:
			return nil, codec.Refuse(codec.InputsTooMany, "the form has more than %d parts", c.limits.MaxParts)
		}
		content, after, ok := bytes.Cut(rest, delimiter)
		if !ok {
			return nil, malformed("a part has no end")
		}
		p, err := c.part(content)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(parts, func(other part) bool { return other.name == p.name }) {
			return nil, codec.Refuse(codec.InputDuplicate, "two parts of the form have the same name")
		}
		parts, rest = append(parts, p), after
	}
}

// part reads one part with the CRLF before each of its headers, and the empty line
// behind them.
func (c *Codec) part(content []byte) (part, error) {
	head, value, ok := bytes.Cut(content, []byte("\r\n\r\n"))
	if !ok || len(head) > maxPartHeadBytes {
		return part{}, malformed("a part has no headers, or more than %d bytes of them", maxPartHeadBytes)
	}
	p := part{value: value}
	var seen []string
	for _, line := range strings.Split(string(head), "\r\n")[1:] { // what stands before the first CRLF is empty
		key, text, ok := strings.Cut(line, ":")
		if !ok || !plain(line) {
			return part{}, malformed("a header of a part is malformed")
		}
		key, text = strings.ToLower(key), strings.Trim(text, " \t")
		if slices.Contains(seen, key) {
			return part{}, malformed("a part has a header twice")
		}
		seen = append(seen, key)
		if err := c.header(&p, key, text); err != nil {
			return part{}, err
		}
	}
	if p.name == "" {
		return part{}, malformed("a part has no name")
	}
	return p, nil
}

// plain reports whether a header of a part has no control characters. The names of
// files may have any others.
func plain(line string) bool {
	for i := range len(line) {
		if line[i] < ' ' && line[i] != '\t' || line[i] == 0x7F {
			return false
		}
	}
	return true
}

// header judges one header of a part.
func (c *Codec) header(p *part, key, text string) error {
	switch key {
	case "content-disposition":
		name, err := dispositionName(text)
		if err != nil {
			return err
		}
		if len(name) > c.limits.MaxNameBytes || !ValidName(name) {
			return codec.Refuse(codec.NameInvalid, "the name of a part must have at most %d letters, digits and . _ -", c.limits.MaxNameBytes)
		}
		p.name = name
	case "content-type":
		if strings.HasPrefix(strings.ToLower(text), "multipart/") {
			return malformed("a part is a form itself")
		}
	case "content-length":
		if n, err := strconv.ParseUint(text, 10, 32); err != nil || int64(n) != int64(len(p.value)) {
			return malformed("a part is not as long as it says")
		}
	case "content-transfer-encoding":
		switch strings.ToLower(text) {
		case "binary", "8bit", "7bit": // Apache's HttpClient writes 8bit for texts
		default:
			return malformed("a part has a transfer encoding that changes its bytes")
		}
	default:
		return malformed("a part has a header that no form needs")
	}
	return nil
}

// dispositionName reads the value of Content-Disposition: form-data, then name and
// file names, each at most once, as NAME="TEXT" or, without quotes, a word (RFC 6266
// §4.1). A backslash, of which readers differ on what it quotes, is refused.
func dispositionName(text string) (name string, err error) {
	kind, rest, _ := strings.Cut(text, ";")
	if !strings.EqualFold(strings.Trim(kind, " \t"), "form-data") || strings.Contains(text, `\`) {
		return "", malformed("Content-Disposition must be form-data, without backslashes")
	}
	var seen []string
	for rest != "" {
		key, value, ok := strings.Cut(rest, "=")
		if key = strings.ToLower(strings.Trim(key, " \t")); !ok || slices.Contains(seen, key) {
			return "", malformed("Content-Disposition has a malformed parameter, or one twice")
		}
		seen = append(seen, key)
		if quoted, ok := strings.CutPrefix(value, `"`); ok {
			if value, rest, ok = strings.Cut(quoted, `"`); !ok {
				return "", malformed("Content-Disposition has a quote without its end")
			}
			rest = strings.TrimLeft(rest, " \t")
			if rest != "" && !strings.HasPrefix(rest, ";") {
				return "", malformed("Content-Disposition has text behind a quote")
			}
			rest = strings.TrimPrefix(rest, ";")
		} else {
			value, rest, _ = strings.Cut(value, ";")
			if value = strings.Trim(value, " \t"); strings.ContainsAny(value, "\" \t=,") {
				return "", malformed("Content-Disposition has a malformed parameter")
			}
		}
		switch key {
		case "name":
			name = value
		case "filename", "filename*": // dropped
		default:
			return "", malformed("Content-Disposition has a parameter other than name and filename")
		}
	}
	return name, nil
}

// appendForm writes the canonical form of the values of a request and its content-type.
// The boundary is made of their digest, which none of them can hold.
func appendForm(request *codec.Request) (body []byte, media string) {
	var parts []part
	hash, size := sha256.New(), 0
	for _, spec := range request.Signature.Inputs {
		i := slices.IndexFunc(request.Inputs, func(in codec.Input) bool { return in.Name == spec.Name })
		if i < 0 {
			continue
		}
		value := request.Inputs[i].Data
		if spec.DataType == tensor.Bytes {
			value = value[4:] // one element
		}
		parts = append(parts, part{spec.Name, value})
		hash.Write(value)
		size += len(value) + len(spec.Name) + 256 // the headers
	}
	boundary := "weir-" + hex.EncodeToString(hash.Sum(nil)[:20])
	body = make([]byte, 0, size)
	for _, p := range parts {
		body = append(body, "--"+boundary+"\r\nContent-Disposition: form-data; name=\""+p.name+"\""...)
		if request.Signature.Input(p.name).DataType != tensor.Bytes {
			body = append(body, "; filename=\"file\"\r\nContent-Type: "+mediaType(p.value)...)
		}
		body = append(append(append(body, "\r\n\r\n"...), p.value...), "\r\n"...)
	}
	return append(body, "--"+boundary+"--\r\n"...), "multipart/form-data; boundary=" + boundary
}
