//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"unicode/utf16"
)

// Triton takes the first of equal keys, most others the last.
func TestTrick01DuplicateKeys(t *testing.T) {
	run(t,
		trick{name: "inputs", body: `{"inputs":[` + textInput(`"evil"`) + `],"inputs":[` + textInput(`"good"`) + `]}`, reads: "evil", reason: "json_duplicate_key"},
		trick{name: "escaped", body: `{"\u0069nputs":[` + textInput(`"evil"`) + `],"inputs":[` + textInput(`"good"`) + `]}`, reads: "evil", reason: "json_duplicate_key"},
		trick{name: "data", body: `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","data":["evil"],"data":["good"]}]}`, reads: "evil", reason: "json_duplicate_key"},
		trick{name: "name of an input", body: `{"inputs":[{"name":"TEXT","name":"IMAGE","shape":[1],"datatype":"BYTES","data":["evil"]}]}`, reads: "evil", reason: "json_duplicate_key"},
		trick{name: "a parameter", body: `{"parameters":{"note":"evil","note":"good"},"inputs":[` + goodInput + `]}`, reads: "a", reason: "json_duplicate_key"},
		trick{name: "id", body: `{"id":"evil","id":"good","inputs":[` + goodInput + `]}`, reads: "a", reason: "json_duplicate_key"},
		trick{name: "equal", body: `{"inputs":[` + goodInput + `],"inputs":[` + goodInput + `]}`, reads: "a", reason: "json_duplicate_key"},
	)
}

// Triton tells keys by their case, and ignores those that it does not know.
func TestTrick02KeysInAnotherCase(t *testing.T) {
	run(t,
		trick{name: "beside the right one", body: `{"Inputs":[` + textInput(`"good"`) + `],"inputs":[` + textInput(`"evil"`) + `]}`, reads: "evil", reason: "json_unknown_key"},
		trick{name: "after the right one", body: `{"inputs":[` + textInput(`"evil"`) + `],"INPUTS":[` + textInput(`"good"`) + `]}`, reads: "evil", reason: "json_unknown_key"},
		trick{name: "alone", body: `{"Inputs":[` + goodInput + `]}`, fails: fault, reason: "json_unknown_key"},
		trick{name: "in an input", body: `{"inputs":[{"Data":["good"],"name":"TEXT","shape":[1],"datatype":"BYTES","data":["evil"]}]}`, reads: "evil", reason: "json_unknown_key"},
		trick{name: "unknown", body: `{"model_name":"identity","inputs":[` + goodInput + `]}`, reads: "a", reason: "json_unknown_key"},
		trick{name: "unknown in an input", body: `{"inputs":[{"encoding":"base64","name":"TEXT","shape":[1],"datatype":"BYTES","data":["evil"]}]}`, reads: "evil", reason: "json_unknown_key"},
	)
}

func TestTrick03ByteOrderMark(t *testing.T) {
	run(t,
		trick{name: "before the body", body: "\ufeff" + text(`"evil"`), reads: "evil", reason: "json_malformed"},
		trick{name: "twice", body: "\ufeff\ufeff" + text(`"evil"`), fails: fault, reason: "json_malformed"},
		trick{name: "after white space", body: " \ufeff" + text(`"evil"`), fails: fault, reason: "json_malformed"},
	)
}

// For Triton a NUL ends the document.
func TestTrick04NULAndASecondDocument(t *testing.T) {
	run(t,
		trick{name: "NUL and a document", body: text(`"evil"`) + "\x00" + text(`"good"`), reads: "evil", reason: "json_malformed"},
		trick{name: "NUL and garbage", body: text(`"evil"`) + "\x00{", reads: "evil", reason: "json_malformed"},
		trick{name: "NUL alone", body: text(`"evil"`) + "\x00", reads: "evil", reason: "json_malformed"},
		trick{name: "a document", body: text(`"evil"`) + text(`"good"`), fails: fault, reason: "json_malformed"},
		trick{name: "cut short", body: good[:len(good)-1], fails: fault, reason: "json_malformed"},
		trick{name: "no object", body: `[` + good + `]`, fails: fault, reason: "json_malformed"},
	)
}

func TestTrick05OtherEncodingsOfUnicode(t *testing.T) {
	wide := func(order func(unit uint16) string, mark string) string {
		var b strings.Builder
		b.WriteString(mark)
		for _, unit := range utf16.Encode([]rune(text(`"evil"`))) {
			b.WriteString(order(unit))
		}
		return b.String()
	}
	little := func(u uint16) string { return string([]byte{byte(u), byte(u >> 8)}) }
	big := func(u uint16) string { return string([]byte{byte(u >> 8), byte(u)}) }
	four := func(u uint16) string { return little(u) + "\x00\x00" }
	charset := func(name string) []string { return []string{"Content-Type: application/json; charset=" + name} }
	run(t,
		trick{name: "UTF-16LE", body: wide(little, ""), headers: charset("utf-16le"), fails: fault, reason: "json_malformed"},
		trick{name: "UTF-16LE with its mark", body: wide(little, "\xff\xfe"), headers: charset("utf-16"), fails: fault, reason: "json_malformed"},
		trick{name: "UTF-16BE with its mark", body: wide(big, "\xfe\xff"), headers: charset("utf-16"), fails: fault, reason: "json_malformed"},
		trick{name: "UTF-32LE with its mark", body: wide(four, "\xff\xfe\x00\x00"), headers: charset("utf-32"), fails: fault, reason: "json_malformed"},
		// The parameter means nothing: JSON is UTF-8.
		trick{name: "UTF-7 by its name", body: text(`"+AGU-vil"`), headers: charset("utf-7"), reads: "+AGU-vil", clean: "+AGU-vil"},
	)
}

// Triton hands on the bytes of a string as they are, so that a picture can stand
// in JSON.
func TestTrick06InvalidUTF8(t *testing.T) {
	const jpeg = "\xff\xd8\xff\xe0\x80"
	run(t,
		trick{name: "a byte", body: text("\"a\xff\""), reads: "a\xff", reason: "json_malformed"},
		trick{name: "a picture", body: `{"inputs":[{"name":"IMAGE","shape":[1],"datatype":"BYTES","data":["` + jpeg + `"]}]}`, reads: jpeg, reason: "json_malformed"},
		trick{name: "overlong", body: text("\"\xc0\xaf\""), reads: "\xc0\xaf", reason: "json_malformed"},
		trick{name: "a surrogate", body: text("\"\xed\xa0\x80\""), reads: "\xed\xa0\x80", reason: "json_malformed"},
		trick{name: "beyond Unicode", body: text("\"\xf4\x90\x80\x80\""), reads: "\xf4\x90\x80\x80", reason: "json_malformed"},
		trick{name: "in the name of an input", body: `{"inputs":[` + strings.Replace(goodInput, "TEXT", "TEXT\xff", 1) + `]}`, fails: bad, reason: "json_malformed"},
	)
}

// Triton makes three bytes of a low surrogate that are no UTF-8.
func TestTrick07LoneSurrogates(t *testing.T) {
	run(t,
		trick{name: "low", body: text(`"\udc00"`), reads: "\xed\xb0\x80", reason: "json_malformed"},
		trick{name: "high", body: text(`"\ud800"`), fails: fault, reason: "json_malformed"},
		trick{name: "high and a letter", body: text(`"\ud800\u0041"`), fails: fault, reason: "json_malformed"},
		trick{name: "in reverse", body: text(`"\udc00\ud800"`), fails: fault, reason: "json_malformed"},
		trick{name: "a pair", body: text(`"\ud83d\ude00"`), reads: "😀", clean: "😀"},
	)
}

// Each level is a call of Triton's parser: 200 KB end the server.
func TestTrick11DepthBomb(t *testing.T) {
	nested := func(levels int) string {
		return `{"inputs":[{"data":` + strings.Repeat("[", levels) + "1" + strings.Repeat("]", levels) + `,"name":"UINT8","shape":[1,1],"datatype":"UINT8"}]}`
	}
	run(t,
		trick{name: "more than the limit", path: identityInfer, body: nested(33), reads: "\x01", reason: "json_too_deep"},
		trick{name: "of objects under a key that is not known", reads: "a", reason: "json_unknown_key",
			body: `{"x":` + strings.Repeat(`{"x":`, 1000) + `1` + strings.Repeat(`}`, 1000) + `,"inputs":[` + goodInput + `]}`},
		trick{name: "a thousand", path: identityInfer, body: nested(1000), reads: "\x01", reason: "json_too_deep"},
	)
	t.Run("a hundred thousand", func(t *testing.T) {
		trick{path: identityInfer, body: nested(100_000), reason: "json_too_deep"}.kills(t)
	})
}

// What other parsers forgive, Triton does not either.
func TestTrick12LenientSyntax(t *testing.T) {
	var tricks []trick
	for name, body := range map[string]string{
		"comment":         `{/**/"inputs":[` + goodInput + `]}`,
		"line comment":    "{//\n" + `"inputs":[` + goodInput + `]}`,
		"trailing comma":  `{"inputs":[` + goodInput + `],}`,
		"comma in a list": `{"inputs":[` + goodInput + `,]}`,
		"single quotes":   `{'inputs':[` + goodInput + `]}`,
		"no quotes":       `{inputs:[` + goodInput + `]}`,
		"control":         text("\"a\nb\""),
		"unknown escape":  text(`"\x41"`),
		"vertical tab":    "{\v" + good[1:],
		"no-break space":  "{\u00a0" + good[1:],
		"capital true":    `{"parameters":{"note":True},"inputs":[` + goodInput + `]}`,
	} {
		tricks = append(tricks, trick{name: name, body: body, fails: fault, reason: "json_malformed"})
	}
	for name, number := range map[string]string{"plus": "+1", "leading zero": "01", "hexadecimal": "0x1",
		"no digits before the point": ".5", "none after it": "1.", "no exponent": "1e", "underscore": "1_0"} {
		tricks = append(tricks, trick{name: name, path: identityInfer, body: numbers("FP32", "1,1", number), fails: fault, reason: "json_malformed"})
	}
	run(t, tricks...)
}
