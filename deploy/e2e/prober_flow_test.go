//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire is how a client sends a request.
type wire struct {
	h2     bool
	length bool // with content-length, else of unknown length
	size   int  // of the text, beyond a few bytes
}

// large is a text of many chunks, whatever cuts it: Envoy's chunks of HTTP/2 have
// 16 KiB, a streamed piece of ext_proc at most 64 KiB.
const large = 200 << 10

// anyWire are ways to send a body, of one frame and of many.
func anyWire() []wire {
	return []wire{{false, true, 0}, {false, false, large}, {true, true, large}, {true, false, 0}}
}

// bothHTTP are the two versions of HTTP, with a small body.
func bothHTTP() []wire { return []wire{{false, true, 0}, {true, false, 0}} }

// What one side of an exchange gets of the other.
const (
	gotNothing = "nothing" // but an error of Envoy's
	gotRefusal = "refusal" // of Weir's
	gotWeirs   = "Weir's"  // what Weir made of it
	gotHead    = "head"    // head or trailers as they came; of the body nothing, or what Weir made of it
	gotWhole   = "whole"   // as it came
)

// flow is a kind of exchange. The client puts "canary" where nothing of it may go on,
// and a zero-width space into the text.
type flow struct {
	name              string
	path              string // that Weir asks for
	wires             []wire
	body              bool   // it has one
	refused           bool   // by its head
	trailers          bool   // its answer has some
	malformed         bool   // which Envoy answers by itself
	likeAnother       bool   // as to the modes
	request, response string // body modes that it needs
	send              func(p *probe, address string)
	// answered and forwarded report whether the client has the answer, and the model
	// server the path and body, that Weir makes of the other's.
	answered  func(p *probe) bool
	forwarded func(p *probe, r received) bool
}

// probe is one exchange and what came of it.
type probe struct {
	setup setup
	flow  flow
	wire  wire
	trace string   // the trace id, which everything that goes upstream has
	leave bool     // the client goes away when the answer begins
	hints []string // interim answers to the client
	reply reply
	err   error
	sent  []received // at the model server
}

func (p *probe) String() string {
	return fmt.Sprintf("%s, %s, h2 %t, length %t, %d bytes", p.setup.name, p.flow.name, p.wire.h2, p.wire.length, p.wire.size)
}

func (p *probe) traceparent() string { return "00-" + p.trace + "-00f067aa0ba902b7-01" }
func (p *probe) text() string        { return "a\u200b" + strings.Repeat("x", p.wire.size) }
func (p *probe) clean() string       { return strings.Replace(p.text(), "\u200b", "", 1) }

func flows() []flow {
	return []flow{unary(), unaryRPC(), generateStream(), chat(), streamRPC(), health(), denied(), malformed()}
}

// unary is a V2 inference over HTTP. The model server answers under Weir's id, in
// binary and not sure; the client must get that under its own id, as JSON, flagged.
func unary() flow {
	return flow{
		name: "unary", path: "/v2/models/probe/versions/1/infer", wires: anyWire(), body: true, request: "BUFFERED", response: "BUFFERED",
		send: func(p *probe, address string) {
			p.post(address, probeInfer, textRequest("client", p.text()))
		},
		answered: func(p *probe) bool {
			m, err := decode(p.reply)
			return err == nil && m.ID == "client" && len(m.Outputs) == 1 && len(m.Outputs[0].Data) == 3 &&
				p.reply.header.Get("x-weir-action") == "flag" && p.reply.header.Get("x-weir-reason") == "low_confidence"
		},
		forwarded: func(p *probe, r received) bool {
			id := firstID(r.body)
			return decisionID.MatchString(id) && bytes.Equal(r.body, canonical(id, p.clean()))
		},
	}
}

// health is a request without a body, whose answer passes as it is.
func health() flow {
	return flow{
		name: "health", path: "/v2/health/live", wires: bothHTTP(),
		send: func(p *probe, address string) { p.do(address, http.MethodGet, "/v2/health/live", nil) },
		answered: func(p *probe) bool {
			return p.reply.status == http.StatusOK
		},
		forwarded: func(p *probe, r received) bool { return len(r.body) == 0 },
	}
}

// denied is a request that Weir refuses by its head.
func denied() flow {
	return flow{
		name: "denied", wires: bothHTTP(), body: true, refused: true, likeAnother: true,
		send: func(p *probe, address string) {
			p.post(address, "/v2/models/absent/infer", textRequest("client", p.text()))
		},
		answered:  func(p *probe) bool { return false },
		forwarded: func(p *probe, r received) bool { return false },
	}
}

// malformed is a request that Envoy refuses by itself. The stream of ext_proc, if
// there is one, begins with that answer.
func malformed() flow {
	return flow{
		name: "malformed", wires: bothHTTP()[:1], malformed: true, likeAnother: true,
		send: func(p *probe, address string) {
			p.raw(address, "GET /v2/health/live#canary HTTP/1.1\r\nHost: h\r\n\r\n")
		},
		answered:  func(p *probe) bool { return false },
		forwarded: func(p *probe, r received) bool { return false },
	}
}

// raw sends bytes over HTTP/1.
func (p *probe) raw(address, text string) {
	var c net.Conn
	if c, p.err = net.Dial("tcp4", address); p.err != nil {
		return
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, text) // which Envoy may answer, and close, before it has it all
	p.read(http.ReadResponse(bufio.NewReader(c), nil))
}

func (p *probe) post(address, path, body string) {
	var source io.Reader = strings.NewReader(body)
	if !p.wire.length {
		source = io.MultiReader(source)
	}
	p.do(address, http.MethodPost, path, source)
}

func (p *probe) do(address, method, path string, body io.Reader) {
	request, err := http.NewRequest(method, "http://"+address+path+"?canary", body)
	if err != nil {
		p.err = err
		return
	}
	request.Host = "canary.example"
	request.Header.Set("X-Canary", "canary")
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Traceparent", p.traceparent())
	hints := httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		p.hints = append(p.hints, fmt.Sprint(code, header))
		return nil
	}}
	p.read(newClient(p.wire.h2).Do(request.WithContext(httptrace.WithClientTrace(request.Context(), &hints))))
}

func (p *probe) read(response *http.Response, err error) {
	if err != nil {
		p.err = err
		return
	}
	defer response.Body.Close()
	var body io.Reader = response.Body
	if p.leave {
		body = io.LimitReader(body, 1)
	}
	content, err := io.ReadAll(body)
	p.reply, p.err = reply{response.StatusCode, response.Header, content}, err
}

// namedByWeir is Weir's id as that of a request, in JSON and in protobuf. Clients get
// their own back.
var namedByWeir = regexp.MustCompile(`("id": ?"|\x1a\x1a)[0-9A-HJKMNP-TV-Z]{26}`)

// client is what the client got.
func (p *probe) client() string {
	ours := decisionID.MatchString(p.reply.header.Get("x-weir-decision-id"))
	answered := p.flow.answered(p) && (ours || !p.flow.body)
	rawHead := strings.Contains(fmt.Sprint(p.hints, p.reply.header), "canary")
	rawBody := bytes.Contains(p.reply.body, []byte("canary")) || namedByWeir.Match(p.reply.body)
	passed := 0 < p.reply.status && p.reply.status < 400
	cut := ours && p.flow.trailers // trailers that Weir does not see may overtake its messages
	switch {
	case p.err == nil && !rawHead && !rawBody && passed && answered:
		return gotWeirs
	case rawBody || passed && len(p.reply.body) > 0 && !answered && !cut:
		return gotWhole
	case rawHead || passed:
		return gotHead
	case ours && p.reply.header.Get("x-weir-action") == "block":
		return gotRefusal
	}
	return gotNothing
}

// upstream is what the model server got. A body over HTTP/1 has to be framed by its
// length.
func (p *probe) upstream() string {
	switch {
	case len(p.sent) == 0:
		return gotNothing
	case len(p.sent) > 1:
		return fmt.Sprintf("%d requests", len(p.sent))
	}
	r := p.sent[0]
	head := fmt.Sprint(r.RequestURI, r.Host, r.Header)
	framed := r.ProtoMajor == 2 || r.ContentLength == int64(len(r.body)) && r.TransferEncoding == nil
	switch written := p.flow.forwarded(p, r); {
	case written && r.RequestURI == p.flow.path && framed && !strings.Contains(head, "canary"):
		return gotWeirs
	case written || len(r.body) == 0:
		return gotHead
	}
	return gotWhole
}

// prober is a Weir behind an Envoy with a listener for each setup, and before a
// model server that keeps what it gets.
type prober struct {
	*stack
	server *probeServer
	setups []setup // in the order of the listeners
	traces int
	from   int // the requests at the model server that were looked at
}

// atATime is the number of probes in flight. It matters where each has to wait for a
// timer.
const atATime = 48

// run sends the probes and finds what of them reached the model server.
func (p *prober) run(t *testing.T, probes []*probe) {
	t.Helper()
	byTrace := map[string]*probe{}
	var group sync.WaitGroup
	free := make(chan struct{}, atATime)
	for _, one := range probes {
		p.traces++
		one.trace = fmt.Sprintf("%032x", p.traces)
		byTrace[one.trace] = one
		free <- struct{}{}
		group.Go(func() {
			one.flow.send(one, p.envoy.Listeners[one.setup.name])
			<-free
		})
	}
	group.Wait()
	eventually(t, "a model server without a request", func() bool { return p.server.busy.Load() == 0 })
	all := p.server.requests()
	for _, r := range all[p.from:] {
		trace := strings.Split(r.Header.Get("Traceparent")+"---", "-")[1]
		if one := byTrace[trace]; one != nil {
			one.sent = append(one.sent, r)
		} else {
			t.Errorf("a request of nobody at the model server: %s %s %v %.300q", r.Method, r.RequestURI, r.Header, r.body)
		}
	}
	p.from = len(all)
}
