package strictjson_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
)

// rewrite reads a whole document and writes it anew, objects by Object if straight,
// else by Members from the last to the first.
func rewrite(document string, maxDepth int, straight bool) (string, error) {
	s := strictjson.New([]byte(document), maxDepth)
	out, err := value(&s, nil, straight)
	if err != nil {
		return "", err
	}
	return string(out), s.End()
}

func value(s *strictjson.Scanner, w []byte, straight bool) (_ []byte, err error) {
	switch s.Kind() {
	case strictjson.Object:
		return object(s, w, straight)
	case strictjson.Array:
		w = append(w, '[')
		err = s.Array("an array", func(i int) error {
			if i > 0 {
				w = append(w, ',')
			}
			w, err = value(s, w, straight)
			return err
		})
		return append(w, ']'), err
	case strictjson.String:
		text, err := s.View("a string")
		return strictjson.AppendString(w, text), err
	case strictjson.Number:
		token, err := s.Number()
		return append(w, token...), err
	case strictjson.Null:
		if s.Null() {
			return append(w, "null"...), nil
		}
	}
	b, err := s.Bool("a value")
	return append(w, map[bool]string{true: "true", false: "false"}[b]...), err
}

func object(s *strictjson.Scanner, w []byte, straight bool) (_ []byte, err error) {
	w = append(w, '{')
	first := true
	member := func(key string) error {
		if !first {
			w = append(w, ',')
		}
		first = false
		w = append(strictjson.AppendString(w, key), ':')
		w, err = value(s, w, straight)
		return err
	}
	if straight {
		err = s.Object("an object", member)
		return append(w, '}'), err
	}
	members, err := s.Members("an object", 1000, codec.JSONUnknownKey)
	for i := len(members) - 1; i >= 0 && err == nil; i-- {
		err = s.At(members[i], func() error { return member(members[i].Key) })
	}
	return append(w, '}'), err
}

func TestRewrites(t *testing.T) {
	for document, want := range map[string]string{
		"{ \"a\" :\t[1 , 2.50,-0,1e+9]\r\n}":       `{"a":[1,2.50,-0,1e+9]}`,
		`"\u0061\/\u00e9\ud83d\ude00\u0000\u007f"`: `"a/é😀\u0000` + "\x7f\"",
		`["` + "\u2028" + `","<>&"]`:               `["` + "\u2028" + `","<>&"]`,
		`{"a":{"a":null},"b":true,"":false}`:       `{"a":{"a":null},"b":true,"":false}`,
		`[]`:                                       `[]`,
		`0.10E-7`:                                  `0.10E-7`,
		`{}`:                                       `{}`,
	} {
		got, err := rewrite(document, 4, true)
		if err != nil || got != want {
			t.Errorf("%s became %s (%v), want %s", document, got, err, want)
		}
	}
	got, err := rewrite(`{"z":{"b":1,"a":[2,{"d":3,"c":4}]},"y":"x"}`, 4, false)
	if want := `{"y":"x","z":{"a":[2,{"c":4,"d":3}],"b":1}}`; err != nil || got != want {
		t.Errorf("in another order: %s (%v), want %s", got, err, want)
	}
}

func TestRefuses(t *testing.T) {
	for reason, documents := range map[codec.Reason][]string{
		codec.JSONDuplicateKey: {
			`{"a":1,"a":1}`, `{"a":1,"\u0061":1}`, `[{"x":{"":1,"":2}}]`,
			`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1,"a":1}`,
		},
		codec.JSONTooDeep:  {"[[[[[", `{"a":{"a":{"a":{"a":{}}}}}`},
		codec.JSONTooLarge: {"[" + strings.Repeat("1", 41) + "]"},
		codec.JSONMalformed: {
			"", " ", "\xef\xbb\xbf{}", "{}\x00", "{}{}", "[1,]", "[,1]", "[1 2]", `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `{'a':1}`,
			`{"a":1 "b":2}`, "[1]]", "[1}", `{"a":[1}}`, `{"a":1]`, "[", "{", `"`, `"a`, `"\`, `"\"`, `"\x"`, `"\u12"`, `"\u12G4"`,
			`"\ud800"`, `"\udc00"`, `"\ud800\u0041"`, `"\ud800x"`, "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"a\nb\"", "\"\\\n\"", "\"\\é\"",
			"01", "-", "+1", ".5", "1.", "1e", "1e+", "0x1", "NaN", "Infinity", "-Infinity", "1a", "--1", "tru", "nul", "True", "truee",
			"/**/1", "1//", `[1,"a":2]`, `{"a":1:2}`, `{"a":tr ue}`, "\x0b1", "\u00a01",
		},
	} {
		for _, document := range documents {
			for _, straight := range []bool{true, false} {
				out, err := rewrite(document, 4, straight)
				var refusal *codec.Refusal
				if !errors.As(err, &refusal) || refusal.Reason != reason {
					t.Errorf("%q: %q, %v, want %s", document, out, err, reason)
				}
			}
		}
	}
}

func TestMembersAreFew(t *testing.T) {
	s := strictjson.New([]byte(`{"a":1,"b":2,"c":3}`), 4)
	if _, err := s.Members("it", 2, codec.JSONUnknownKey); err == nil || !strings.HasPrefix(err.Error(), "json_unknown_key: it has more") {
		t.Errorf("three keys where two are the most: %v", err)
	}
}

// What is nested within a string counts towards the same depth.
func TestWithin(t *testing.T) {
	s := strictjson.New([]byte(`["[[1]]"]`), 3)
	err := s.Array("it", func(int) error {
		text, err := s.View("a string")
		if err != nil {
			return err
		}
		inner := s.Within(text)
		_, err = value(&inner, nil, true)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	s = strictjson.New([]byte(`["x"]`), 1)
	_ = s.Array("it", func(int) error {
		inner := s.Within([]byte(`[1]`))
		if _, err = value(&inner, nil, true); err == nil {
			t.Error("a document within a string began at depth 0")
		}
		return nil
	})
}

func TestAppendString(t *testing.T) {
	var all []rune
	for r := range rune(0x3000) {
		all = append(all, r)
	}
	var back string
	if err := json.Unmarshal(strictjson.AppendString(nil, string(all)), &back); err != nil || back != string(all) {
		t.Errorf("encoding/json reads something else: %v", err)
	}
}

// Every byte at every place of a string is judged as encoding/json and UTF-8 have it.
func TestEveryByteAtEveryPlace(t *testing.T) {
	for at := range 20 {
		for c := range 256 {
			text := []byte(`"abcdefghijklmnopqrst"`)
			text[1+at] = byte(c)
			want := json.Valid(text) && utf8.Valid(text)
			out, err := rewrite(string(text), 1, true)
			if (err == nil) != want || want && meaning(t, out) != meaning(t, string(text)) {
				t.Fatalf("%q: %q, %v, want %t", text, out, err, want)
			}
		}
	}
}

// FuzzScanner holds that what is accepted is a document to encoding/json, too, that
// what is written of it has the same meaning, and that both ways of reading agree.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e3,"\u00e9\ud83d\ude00",null,true]}`, `{"a":{},"a":1}`, `"\ud800"`, "[[[[", "[1}", `{"a":tr ue,"b":[,]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		out, err := rewrite(document, 8, true)
		other, otherErr := rewrite(document, 8, false)
		d := strictjson.New([]byte(document), 8)
		discardErr := d.Discard()
		if discardErr == nil {
			discardErr = d.End()
		}
		if (err == nil) != (otherErr == nil) || (err == nil) != (discardErr == nil) {
			t.Fatalf("Object says %v, Members say %v, Discard says %v", err, otherErr, discardErr)
		}
		if err != nil {
			var refusal *codec.Refusal
			if !errors.As(err, &refusal) || !errors.As(otherErr, &refusal) {
				t.Fatalf("no refusals: %v, %v", err, otherErr)
			}
			return
		}
		want := meaning(t, document)
		if !utf8.ValidString(document) || !reflect.DeepEqual(meaning(t, out), want) || !reflect.DeepEqual(meaning(t, other), want) {
			t.Fatalf("%q became %q and %q", document, out, other)
		}
		if again, err := rewrite(out, 8, true); err != nil || again != out {
			t.Fatalf("%q became %q (%v)", out, again, err)
		}
	})
}

func meaning(t *testing.T, document string) (v any) {
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", document, err)
	}
	return v
}
