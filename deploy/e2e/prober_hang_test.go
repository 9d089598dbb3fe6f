//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// streams are the flows whose answers come in pieces.
func streams() []flow { return []flow{generateStream(), chat(), streamRPC()} }

// TestProberStreamsWithoutWeir holds that a stream of answers ends in bounded time
// when Weir hangs or dies within it, and that nothing of the model server goes on.
func TestProberStreamsWithoutWeir(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			p := newProber(t, nil, hurried)
			var probes []*probe
			for _, f := range streams() {
				for _, w := range bothHTTP() {
					probes = append(probes, &probe{setup: shipped(), flow: f, wire: w})
				}
			}
			began := make(chan bool)
			gone := make(chan struct{})
			p.server.pause = func() {
				began <- true
				<-gone
			}
			go func() {
				for range probes {
					<-began // each has its first piece by now, or soon
				}
				time.Sleep(200 * time.Millisecond)
				p.signal(t, signal)
				close(gone)
			}()
			start := time.Now()
			p.run(t, probes)
			if took := time.Since(start); took > bounded {
				t.Errorf("the streams ended after %v", took)
			}
			for _, one := range probes {
				pieces := bytes.Count(one.reply.body, []byte("data: ")) + bytes.Count(one.reply.body, []byte("SCORES\x12"))
				if one.err == nil || pieces != 1 || namedByWeir.Match(one.reply.body) || bytes.Contains(fmt.Append(nil, one.reply), []byte("canary")) {
					t.Errorf("%v: the client got %v, %v", one, one.reply, one.err)
				}
				if one.upstream() != gotWeirs {
					t.Errorf("%v: the model server got %s", one, one.upstream())
				}
			}
		})
	}
}

// TestProberEarlyAnswers holds what becomes of a call that the model server ends
// while the client still sends.
func TestProberEarlyAnswers(t *testing.T) {
	p := newProber(t, nil, "")
	end := func(w http.ResponseWriter, status string) {
		w.Header().Set("Grpc-Status", status)
		w.Header().Set("X-Secret-Trailer", "canary")
	}
	head := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("X-Upstream-Secret", "canary-header")
	}
	answerOne := func(w http.ResponseWriter, r *http.Request) {
		head(w)
		w.Header().Set("Trailer", "Grpc-Status, X-Secret-Trailer")
		message, _ := readFrame(r.Body)
		_, _ = w.Write(framed(inferAnswer(string(field(message, fieldID)), true)))
		_ = http.NewResponseController(w).Flush()
	}
	for _, test := range []struct {
		name    string
		serve   http.HandlerFunc
		answers int
		code    codes.Code
	}{
		{"an error at once", func(w http.ResponseWriter, _ *http.Request) { head(w); end(w, "8") }, 0, codes.ResourceExhausted},
		{"an error after an answer", func(w http.ResponseWriter, r *http.Request) { answerOne(w, r); end(w, "8") }, 1, codes.ResourceExhausted},
		{"the end after an answer", func(w http.ResponseWriter, r *http.Request) { answerOne(w, r); end(w, "0") }, 1, codes.OK},
	} {
		for _, size := range []int{0, large} {
			t.Run(fmt.Sprintf("%s, %d bytes", test.name, size), func(t *testing.T) {
				p.server.rpc = test.serve
				one := &probe{setup: shipped(), flow: streamRPC(), wire: wire{h2: true, size: size}, trace: fmt.Sprintf("%032x", 1)}
				stream, giveUp, err := one.open(p.addr)
				if err != nil {
					t.Fatal(err)
				}
				defer giveUp()
				go func() {
					message := inferMessage("probe", "client", []rawInput{{"TEXT", "BYTES", 1, elements(one.text())}})
					for stream.SendMsg(&message) == nil {
						time.Sleep(time.Millisecond)
					}
				}()
				one.receive(stream)
				if got := bytes.Count(one.reply.body, []byte("\x1a\x06client")); got != test.answers || status.Code(one.err) != test.code ||
					bytes.Contains(fmt.Append(nil, one.reply), []byte("canary")) {
					t.Errorf("%d answers, %v, %v", got, one.err, one.reply)
				}
				for _, sent := range p.taps {
					if bytes.Contains(sent.seen(0), []byte("\u200b")) {
						t.Error("unsanitised at the model server")
					}
				}
			})
		}
	}
	eventually(t, "the memory back", func() bool { return p.metric(t, "weir_in_flight_bytes") == 0 })
}

// TestProberReadersThatLeave holds that a client that goes away within a stream of
// events ends it at the model server.
func TestProberReadersThatLeave(t *testing.T) {
	p := newProber(t, nil, "")
	for _, f := range []flow{generateStream(), chat()} {
		for _, w := range bothHTTP() {
			t.Run(fmt.Sprintf("%s, h2 %t", f.name, w.h2), func(t *testing.T) {
				left := make(chan struct{})
				p.server.reply(func(w http.ResponseWriter, r received) {
					p.server.pause = func() {
						<-r.Context().Done()
						close(left)
					}
					p.server.answer(w, r)
				})
				one := &probe{setup: shipped(), flow: f, wire: w, trace: fmt.Sprintf("%032x", 1), leave: true}
				f.send(one, p.addr)
				if one.err != nil || one.reply.status != http.StatusOK {
					t.Errorf("%v %v", one.reply, one.err)
				}
				select {
				case <-left:
				case <-time.After(bounded):
					t.Error("the model server goes on")
				}
			})
		}
	}
	eventually(t, "the memory back", func() bool { return p.metric(t, "weir_in_flight_bytes") == 0 })
}

// TestProberInterimAnswers holds that what the model server says before its answer
// goes on in no flow.
func TestProberInterimAnswers(t *testing.T) {
	p := newProber(t, nil, "")
	hint := func(w http.ResponseWriter) {
		w.Header().Set("Link", "canary")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
	}
	p.server.reply(func(w http.ResponseWriter, r received) {
		hint(w)
		p.server.answer(w, r)
	})
	p.server.rpc = func(w http.ResponseWriter, r *http.Request) {
		hint(w)
		p.server.serveRPC(w, r)
	}
	var probes []*probe
	for _, f := range append(streams(), unary(), unaryRPC(), health()) {
		for _, w := range f.wires {
			probes = append(probes, &probe{setup: shipped(), flow: f, wire: w})
		}
	}
	p.run(t, probes)
	for _, one := range probes {
		one.expect(t, gotWeirs, gotWeirs)
	}
}
