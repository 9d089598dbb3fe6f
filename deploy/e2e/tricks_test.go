//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/deploy/local"
	"weir/filter"
)

// trick is a request that servers read differently, or that hides what it does. It
// is sent to a Triton that nothing stands before, to show what it does there, and
// then through Envoy and Weir.
type trick struct {
	name    string
	method  string // POST if empty
	path    string // an inference of the echo model if empty
	body    string
	headers []string // "Name: value"
	raw     string   // the bytes of the request, instead of all the above

	// Without Weir: the first element of the first input that the model gets (of a
	// numeric tensor its contents), or else the status of Triton's error.
	reads string
	fails int

	// With Weir: the reason of the refusal, or else what the model gets.
	reason string
	clean  string
}

// noAnswer is the status of a connection that is closed without an answer.
const noAnswer = -1

// Parts of requests. What a firewall must not let through is "evil", what it may
// have looked at instead is "good".
const (
	good          = `{"inputs":[{"name":"TEXT","shape":[1],"datatype":"BYTES","data":["a"]}]}`
	goodInput     = `{"name":"TEXT","shape":[1],"datatype":"BYTES","data":["a"]}`
	identityInfer = "/v2/models/identity/infer"
	bad           = http.StatusBadRequest
	forbidden     = http.StatusForbidden
	tooLarge      = http.StatusRequestEntityTooLarge
	fault         = http.StatusInternalServerError // Triton's for JSON that it cannot read
)

// text is a request with one text, written as the JSON of a string.
func text(data string) string { return `{"inputs":[` + textInput(data) + `]}` }

func textInput(data string) string {
	return `{"name":"TEXT","shape":[1],"datatype":"BYTES","data":[` + data + `]}`
}

// numbers is a request for the identity model, whose inputs have the names of
// their datatypes.
func numbers(datatype, shape, data string) string {
	return fmt.Sprintf(`{"inputs":[{"name":%q,"shape":[%s],"datatype":%q,"data":[%s]}]}`, datatype, shape, datatype, data)
}

// wire is the request as it is sent; no client library tidies it up.
func (k trick) wire() string {
	if k.raw != "" {
		return k.raw
	}
	method, path := k.method, k.path
	if method == "" {
		method = http.MethodPost
	}
	if path == "" {
		path = echoInfer
	}
	head := method + " " + path + " HTTP/1.1\r\nHost: h\r\n"
	for _, h := range k.headers {
		head += h + "\r\n"
	}
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(k.body), k.body)
}

// run shows a list of tricks.
func run(t *testing.T, tricks ...trick) {
	t.Helper()
	shared.ready(t)
	for _, k := range tricks {
		t.Run(k.name, func(t *testing.T) {
			k.withoutWeir(t)
			k.withWeir(t)
		})
	}
}

func (k trick) withoutWeir(t *testing.T) {
	t.Helper()
	r, got := toTriton(t, k.wire())
	switch {
	case k.fails != 0 && (r.status != k.fails || len(got) > 0):
		t.Errorf("without Weir: want status %d and nothing at the model; have %v, %+v", k.fails, r, got)
	case k.fails == 0 && (r.status != http.StatusOK || len(got) != 1 || got[0].Inputs[0].SHA256[0] != digest(k.reads)):
		t.Errorf("without Weir: want %q at the model; have %v, %+v", k.reads, r, got)
	}
}

func (k trick) withWeir(t *testing.T) {
	t.Helper()
	if k.reason != "" {
		shared.unmoved(t, func() {
			r, _ := shared.raw(t, k.wire())
			wantReason(t, r, k.reason)
		})
		return
	}
	r, _ := shared.raw(t, k.wire())
	if r.status != http.StatusOK {
		t.Fatalf("with Weir: %v", r)
	}
	if got := lastReceived(t); got.ID != r.header.Get("x-weir-decision-id") || got.Inputs[0].SHA256[0] != digest(k.clean) {
		t.Errorf("with Weir: want %q at the model; have %+v", k.clean, got)
	}
}

// wantReason checks a refusal of Weir's by the one table of reasons.
func wantReason(t *testing.T, r reply, reason string) {
	t.Helper()
	wantRefused(t, r, filter.Reason(reason).Status().HTTP, reason)
}

// toTriton sends a request to the Triton that nothing stands before, and returns
// its answer and what its models got of it.
func toTriton(t *testing.T, wire string) (reply, []local.Received) {
	t.Helper()
	replies, got := segmentsToTriton(t, wire)
	return replies[0], got
}

// segmentsToTriton is toTriton for requests in parts, each of which is sent when
// the one before has been answered.
func segmentsToTriton(t *testing.T, parts ...string) ([]reply, []local.Received) {
	t.Helper()
	triton := bareTriton(t)
	before := len(receivedBy(t, triton))
	replies := converse(t, triton.HTTP, parts...)
	return replies, receivedBy(t, triton)[before:]
}

func receivedBy(t *testing.T, triton *local.Triton) []local.Received {
	t.Helper()
	all, err := triton.Received()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// bareTriton returns a Triton like that of the shared stack, for whatever harms it.
func bareTriton(t *testing.T) *local.Triton {
	t.Helper()
	triton, err := bare()
	if err != nil {
		t.Fatal(err)
	}
	return triton
}

// converse writes parts to a server, each when the one before has been answered,
// and returns as many answers. The status of an answer that never came is noAnswer.
func converse(t *testing.T, addr string, parts ...string) []reply {
	t.Helper()
	c, err := net.Dial("tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	reader := bufio.NewReader(c)
	var replies []reply
	for _, part := range parts {
		_, _ = io.WriteString(c, part) // a server may answer, and close, before it has read everything
		replies = append(replies, readReply(t, reader))
	}
	return replies
}

// readReply reads an answer; one that does not come, or not whole, is none.
func readReply(t *testing.T, reader *bufio.Reader) reply {
	t.Helper()
	r := reply{status: noAnswer}
	response, err := http.ReadResponse(reader, nil)
	if err == nil {
		defer response.Body.Close()
		r = reply{status: response.StatusCode, header: response.Header}
		r.body, err = io.ReadAll(response.Body)
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return reply{status: noAnswer}
	case err != nil:
		t.Fatal(err)
	}
	return r
}

// envoyRefusal is a request that Envoy ends before Weir has seen it.
type envoyRefusal struct {
	name, text string
	status     int // of the answer, if there is one: Envoy may just close the connection
}

// refusedByEnvoy sends them all at once: Envoy waits a second before it closes.
func refusedByEnvoy(t *testing.T, refusals ...envoyRefusal) {
	t.Helper()
	shared.ready(t)
	shared.unmoved(t, func() {
		var group sync.WaitGroup
		for _, r := range refusals {
			group.Go(func() {
				if got, answered := shared.raw(t, r.text); answered && (got.status != r.status || got.header.Get("x-weir-reason") != "") {
					t.Errorf("%s: want Envoy's own %d, have %v", r.name, r.status, got)
				}
			})
		}
		group.Wait()
	})
}

// newTriton starts a Triton for one test, which may kill it.
func newTriton(t *testing.T, o local.TritonOptions) *local.Triton {
	t.Helper()
	o.LogDir = tempDir(t)
	triton, err := local.StartTriton(context.Background(), deps, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = triton.Stop(context.Background()) })
	return triton
}

// kills shows that a request ends a Triton, and that with Weir it is refused.
func (k trick) kills(t *testing.T) {
	t.Helper()
	shared.ready(t)
	victim := newTriton(t, local.TritonOptions{Models: []string{"echo", "identity"}})
	converse(t, victim.HTTP, k.wire())
	select {
	case <-victim.Done():
	case <-time.After(time.Minute):
		t.Error("without Weir: Triton survives")
	}
	k.withWeir(t)
}

// repeated joins n copies.
func repeated(n int, item string) string { return strings.Repeat(item+",", n-1) + item }
