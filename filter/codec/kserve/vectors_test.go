package kserve

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/filter/codec"
)

// vector is one block of testdata/requests.txt, which describes the format.
type vector struct {
	about    string
	headers  codec.Headers
	json     string
	blob     string
	expect   string
	wantJSON string
	wantBlob string
}

func (v *vector) body() []byte { return []byte(v.json + v.blob) }

// readVectors reads testdata/requests.txt and the bodies of NVIDIA's client.
func readVectors(t testing.TB) []vector {
	return append(readVectorFile(t, "testdata/requests.txt", 100), readVectorFile(t, "testdata/pythonclient.txt", 25)...)
}

// readVectorFile reads a file that holds at least the given number of vectors.
func readVectorFile(t testing.TB, name string, least int) (vectors []vector) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(string(text), "\n\n") {
		var v vector
		for line := range strings.Lines(block) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				v.add(t, line)
			}
		}
		for i := range v.headers {
			v.headers[i].Value = strings.ReplaceAll(v.headers[i].Value, "{json}", strconv.Itoa(len(v.json)))
		}
		if v.about != "" {
			vectors = append(vectors, v)
		}
	}
	if len(vectors) < least {
		t.Fatalf("%s has only %d vectors", name, len(vectors))
	}
	return vectors
}

func (v *vector) add(t testing.TB, line string) {
	key, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch key {
	case "about":
		v.about = value
	case "header":
		name, text, _ := strings.Cut(value, ":")
		v.headers = append(v.headers, codec.Header{Name: name, Value: strings.TrimSpace(text)})
	case "json":
		v.json += unquote(t, value)
	case "blob":
		v.blob += unquote(t, value)
	case "expect":
		v.expect = value
	case "want-json":
		v.wantJSON += unquote(t, value)
	case "want-blob":
		v.wantBlob += unquote(t, value)
	default:
		t.Fatalf("unknown line %q", line)
	}
}

// unquote joins Go string literals.
func unquote(t testing.TB, s string) (joined string) {
	for s != "" {
		literal, err := strconv.QuotedPrefix(s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		part, err := strconv.Unquote(literal)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		joined += part
		s = strings.TrimSpace(s[len(literal):])
	}
	return joined
}

var inferRoute = codec.Select("POST", "/v2/models/m/infer")

func newCodec(t testing.TB) *HTTP {
	t.Helper()
	c, err := NewHTTP(DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// reasonOf returns the reason of a refusal, "ok" for nil.
func reasonOf(t testing.TB, err error) string {
	t.Helper()
	var refusal *codec.Refusal
	switch {
	case err == nil:
		return "ok"
	case !errors.As(err, &refusal):
		t.Fatalf("%v is no *codec.Refusal", err)
	case !slices.Contains(codec.Reasons(), refusal.Reason):
		t.Fatalf("%s is not in the closed list", refusal.Reason)
	}
	return string(refusal.Reason)
}

func TestRequestVectors(t *testing.T) {
	c := newCodec(t)
	for _, v := range readVectors(t) {
		t.Run(v.about, func(t *testing.T) {
			request, err := c.DecodeRequest(inferRoute, v.headers, v.body())
			if got := reasonOf(t, err); got != v.expect {
				t.Fatalf("got %v, want %s", err, v.expect)
			}
			if err != nil {
				if request != nil {
					t.Error("a refused request was returned")
				}
				return
			}
			m, err := c.EncodeRequest(request, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := string(m.Body), v.wantJSON+v.wantBlob; got != want {
				t.Errorf("canonical form\n got %q\nwant %q", got, want)
			}
			want := codec.Headers{
				{Name: "content-type", Value: "application/octet-stream"},
				{Name: "content-length", Value: strconv.Itoa(len(m.Body))},
				{Name: "inference-header-content-length", Value: strconv.Itoa(len(v.wantJSON))},
			}
			if !slices.Equal(m.Headers, want) {
				t.Errorf("headers %v, want %v", m.Headers, want)
			}
		})
	}
}
