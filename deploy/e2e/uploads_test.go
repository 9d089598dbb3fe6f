//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// classifier is a server that takes files, as TorchServe does, which has no package for
// this machine. It keeps every request and answers as it is told.
type classifier struct {
	*httptest.Server
	mu       sync.Mutex
	received []upload
	answer   string
}

// upload is a request as the classifier got it.
type upload struct {
	*http.Request
	body []byte
}

func newClassifier(t *testing.T) *classifier {
	c := &classifier{answer: `{"cat": 0.9, "dog": 0.1}`}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.received = append(c.received, upload{r, body})
		w.Header().Set("Content-Type", "application/json")
		if _, isMistake := strings.CutPrefix(c.answer, "error "); isMistake {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, c.answer)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *classifier) say(answer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

// last is the last request, which holds no canary anywhere.
func (c *classifier) last(t *testing.T) upload {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.received) == 0 {
		t.Fatal("the classifier got nothing")
	}
	r := c.received[len(c.received)-1]
	if text := fmt.Sprint(r.URL, r.Header, string(r.body)); strings.Contains(text, canary) {
		t.Errorf("a canary reaches the classifier: %q", text)
	}
	return r
}

func wantAnswer(t *testing.T, r reply, want string) {
	t.Helper()
	if r.status != http.StatusOK || string(r.body) != want || r.header.Get("content-type") != "application/json" {
		t.Errorf("want %s; have %v", want, r)
	}
}

func postFile(t *testing.T, s *stack, files *classifier, jpeg string) {
	for _, h2c := range []bool{false, true} {
		for _, method := range []string{http.MethodPost, http.MethodPut} {
			r, err := s.send(newClient(h2c), method, "/predictions/cats?"+canary, strings.NewReader(jpeg), "Content-Type: image/"+canary, "X-Name: "+canary)
			if err != nil {
				t.Fatal(err)
			}
			wantAnswer(t, r, `{"cat":0.9,"dog":0.1}`)
			got := files.last(t)
			if got.Method != method || got.URL.String() != "/predictions/cats" || got.Header.Get("Content-Type") != "image/jpeg" || got.ContentLength != int64(len(got.body)) {
				t.Errorf("the classifier got %s %s, %v", got.Method, got.URL, got.Header)
			}
			samePicture(t, string(got.body), jpeg)
		}
	}
}

// formOf is a form with files and fields that a client wrote.
func formOf(t *testing.T, write func(*multipart.Writer) error) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := write(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), "Content-Type: " + w.FormDataContentType()
}

func addFile(w *multipart.Writer, field, file string) error {
	part, err := w.CreateFormFile(field, canary+".png")
	if err != nil {
		return err
	}
	_, err = io.WriteString(part, file)
	return err
}

func postForm(t *testing.T, s *stack, files *classifier, png, jpeg string) {
	body, contentType := formOf(t, func(w *multipart.Writer) error {
		if err := w.WriteField("note", "what\u200b is this?"); err != nil {
			return err
		}
		return addFile(w, "data", png)
	})
	wantAnswer(t, s.post(t, "/predictions/cats", body, contentType), `{"cat":0.9,"dog":0.1}`)
	file, note := formIn(t, files.last(t), "data")
	samePicture(t, file, png)
	if note != "what is this?" {
		t.Errorf("the note is %q", note)
	}

	body, contentType = formOf(t, func(w *multipart.Writer) error {
		if err := addFile(w, "right", jpeg); err != nil {
			return err
		}
		return addFile(w, "left", png)
	})
	wantAnswer(t, s.post(t, "/predictions/pairs", body, contentType), `{"cat":0.9,"dog":0.1}`)
	left, _ := formIn(t, files.last(t), "left")
	samePicture(t, left, png)
	right, _ := formIn(t, files.last(t), "right")
	if m, format, err := image.Decode(strings.NewReader(right)); err != nil || format != "jpeg" || m.Bounds().Dx() != 48 {
		t.Errorf("a file encoded anew: %s, %v", format, err)
	}
}

// formIn reads a file, and the note if there is one, of the form in a request, as Go's
// server does.
func formIn(t *testing.T, r upload, field string) (file, note string) {
	t.Helper()
	request := r.Clone(t.Context())
	request.Body = io.NopCloser(bytes.NewReader(r.body))
	if err := request.ParseMultipartForm(1 << 20); err != nil {
		t.Fatalf("%v in %q", err, r.body)
	}
	part, head, err := request.FormFile(field)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(part)
	if err != nil || head.Filename != "file" || !strings.HasPrefix(head.Header.Get("Content-Type"), "image/") || len(head.Header) != 2 {
		t.Errorf("%+v, %v", head, err)
	}
	return string(content), request.FormValue("note")
}

// answerUploads checks what becomes of answers that are not as simple as the first.
func answerUploads(t *testing.T, s *stack, files *classifier, jpeg string) {
	defer files.say(`{}`)
	for answer, want := range map[string]string{
		` [ {"class" : "t\u0061bby", "p": 0.40 } ] `: `[{"class":"tabby","p":0.40}]`,
		`"tabby"`: `"tabby"`,
	} {
		files.say(answer)
		wantAnswer(t, s.post(t, "/predictions/cats", jpeg), want)
	}
	for _, answer := range []string{`{"cat": NaN}`, `tabby`, `{"a":1,"a":2}`, `{"a":1`, strings.Repeat("[", 100)} {
		files.say(answer)
		wantRefused(t, s.post(t, "/predictions/cats", jpeg), http.StatusBadGateway, "response_malformed")
	}
	files.say(`error `)
	r := s.post(t, "/predictions/cats", jpeg)
	var body map[string]string
	if err := json.Unmarshal(r.body, &body); err != nil || r.status != http.StatusServiceUnavailable || !strings.HasPrefix(body["error"], "no reason") {
		t.Errorf("an error of the server: %v, %v", r, err)
	}
}
