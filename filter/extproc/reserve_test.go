package extproc

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
)

func TestTooMuchInFlight(t *testing.T) {
	s := newServer(t)
	hold := &exchange{server: s, ctx: context.Background()}
	if !hold.reserve(4 << 20) {
		t.Fatal("the first reservation failed")
	}
	e, _ := run(s, io.EOF, inferHeaders(buffered))
	if got := refusalOf(last(t, e)); got != "overloaded" {
		t.Errorf("refused with %q, want overloaded", got)
	}
	hold.release()
	if e, _ := run(s, io.EOF, inferHeaders(buffered)); last(t, e).GetRequestHeaders() == nil {
		t.Errorf("after the release: %v", last(t, e))
	}
}

// A body that inflates is held as what it is, not as what it came as.
func TestInflatedBodyIsReserved(t *testing.T) {
	s := newServer(t)
	var body bytes.Buffer
	w := gzip.NewWriter(&body)
	noise := make([]byte, 10<<10) // keeps the ratio below the limit
	rand.NewChaCha8([32]byte{}).Read(noise)
	fmt.Fprintf(w, `{"inputs":[{"name":"T","shape":[1],"datatype":"BYTES","data":["%x%s"]}]}`, noise, strings.Repeat("a", 900<<10))
	w.Close()
	messages := []message{inferHeaders(buffered, "content-encoding", "gzip", "content-length", strconv.Itoa(body.Len())),
		requestBodyOf(body.String(), true)}
	held := func(*envoy) *extprocv3.ProcessingRequest {
		if _, got := s.InFlight(); got < 900<<10*memoryFactor {
			t.Errorf("%d bytes reserved for a body of 900 KiB", got)
		}
		return &extprocv3.ProcessingRequest{}
	}
	if e, _ := run(s, io.EOF, append(messages, held)...); last(t, e).GetRequestBody() == nil {
		t.Fatalf("%v", last(t, e))
	}
	hold := &exchange{server: s, ctx: context.Background()}
	if !hold.reserve(3 << 20) {
		t.Fatal("the first reservation failed")
	}
	small := &exchange{server: s, ctx: context.Background()}
	if !small.reserve(512 << 10) {
		t.Fatal("the second reservation failed")
	}
	if e, _ := run(s, io.EOF, messages...); refusalOf(last(t, e)) != "overloaded" {
		t.Errorf("%v, want it refused: there is no room for what it holds", last(t, e))
	}
	hold.release()
	small.release()
	if _, got := s.InFlight(); got != 0 {
		t.Errorf("%d bytes stay reserved", got)
	}
}

// A small request that becomes larger than it came passes while others wait.
func TestSmallRequestGrowsUnderPressure(t *testing.T) {
	s := newServer(t)
	s.limits.AdmissionTimeout = time.Minute
	hold := &exchange{server: s, ctx: context.Background()}
	if !hold.reserve(3 << 20) {
		t.Fatal("the first reservation failed")
	}
	waits := make(chan bool)
	wait := func(*envoy) *extprocv3.ProcessingRequest {
		go func() {
			other := &exchange{server: s, ctx: context.Background()}
			waits <- other.reserve(1 << 20)
			other.release()
		}()
		for s.bytes.TryAcquire(1) { // until the other one waits
			s.bytes.Release(1)
			time.Sleep(time.Millisecond)
		}
		return &extprocv3.ProcessingRequest{}
	}
	for _, length := range []string{strconv.Itoa(len(ask)), ""} {
		head := inferHeaders(buffered)
		if length != "" {
			head = inferHeaders(buffered, "content-length", length)
		}
		if e, _ := run(s, io.EOF, head, wait, requestBodyOf(ask, true)); last(t, e).GetRequestBody() == nil {
			t.Errorf("content-length %q: %v", length, last(t, e))
		}
		if !<-waits {
			t.Error("who waited got nothing")
		}
	}
	hold.release()
}

// The last bytes go to a request, and then to its answer, whatever their sizes.
func TestAnswerTakesTheBytesOfItsRequest(t *testing.T) {
	s := newServer(t)
	hold := &exchange{server: s, ctx: context.Background()}
	if !hold.reserve(3 << 20) {
		t.Fatal("the first reservation failed")
	}
	defer hold.release()
	e, err := run(s, io.EOF, inferHeaders(buffered), requestBodyOf(ask, true), responseHeaders("200", "via_upstream", false), serverAnswer(""))
	if err != nil || last(t, e).GetResponseBody() == nil {
		t.Errorf("%v, %v", last(t, e), err)
	}
}

// Clients that announce as much as they may, and do not send it, leave room for
// small requests.
func TestSlowBodiesLeaveRoom(t *testing.T) {
	s := newServer(t)
	small := inferHeaders(buffered, "content-length", strconv.Itoa(len(ask)))
	var slow func(n int) message // opens n more exchanges that stay at their heads
	slow = func(n int) message {
		return func(*envoy) *extprocv3.ProcessingRequest {
			if n > 0 {
				_, _ = run(s, io.EOF, inferHeaders(buffered), slow(n-1)) // an error: the stream ends there
				return &extprocv3.ProcessingRequest{}
			}
			if e, _ := run(s, io.EOF, small, requestBodyOf(ask, true)); last(t, e).GetRequestBody() == nil {
				t.Errorf("a small request beside slow ones: %v", last(t, e))
			}
			if e, _ := run(s, io.EOF, inferHeaders(buffered)); refusalOf(last(t, e)) != "overloaded" {
				t.Errorf("a large request beside slow ones: %v", last(t, e))
			}
			return &extprocv3.ProcessingRequest{}
		}
	}
	_, _ = run(s, io.EOF, slow(16))
	if _, bytes := s.InFlight(); bytes != 0 || !s.awaited.TryAcquire(s.limits.MaxBytesInFlight/awaitedPart) {
		t.Errorf("%d bytes stay reserved, or a place stays taken", bytes)
	}
}

// A large body that has come makes place for the next.
func TestArrivedBodyMakesPlace(t *testing.T) {
	s := newServer(t)
	other := &exchange{server: s, ctx: context.Background()}
	if e, _ := run(s, io.EOF, inferHeaders(buffered), func(*envoy) *extprocv3.ProcessingRequest {
		if other.await(4 << 20) {
			t.Error("all places, while a large body has not come")
		}
		return requestBodyOf(ask, true)(nil)
	}, func(*envoy) *extprocv3.ProcessingRequest {
		if !other.await(4 << 20) {
			t.Error("no place after the body has come")
		}
		return &extprocv3.ProcessingRequest{}
	}); last(t, e).GetRequestBody() == nil {
		t.Errorf("%v", last(t, e))
	}
	other.arrived()
}

// Messages of streams that have not come whole keep out no others, either.
func TestLargeMessagesThatDoNotCome(t *testing.T) {
	s := speaking(t)
	var clients []*exchange
	defer func() {
		for _, x := range clients {
			x.close(nil)
		}
		if streams, bytes := s.InFlight(); streams != 0 || bytes != 0 || !s.awaited.TryAcquire(s.limits.MaxBytesInFlight/awaitedPart) {
			t.Errorf("%d bytes, or places of those that are awaited, stay reserved", bytes)
		}
	}()
	piece := "\x00\x00\x0f\xff\xff" + strings.Repeat("x", 900<<10)
	refused := 0
	for range 4 {
		e := &envoy{}
		x := &exchange{server: s, stream: e, ctx: context.Background()}
		clients = append(clients, x)
		for _, m := range []message{streamHead(modes(duplexMode, duplexMode)), requestBodyOf(piece, false)} {
			out, err := x.step(m(e))
			if err != nil {
				t.Fatal(err)
			}
			e.sent = append(e.sent, out...)
		}
		if refusalOf(last(t, e)) == "overloaded" {
			refused++
			x.release()
		}
	}
	if refused != 2 {
		t.Errorf("%d of 4 messages were refused, want 2: they may have half of what may be in flight", refused)
	}
	if e, _ := run(s, io.EOF, streamHead(modes(duplexMode, duplexMode)), requestBodyOf(framed("a"), false)); len(e.names()) != 1 {
		t.Errorf("a small message was refused: %v", e.sent)
	}
}
