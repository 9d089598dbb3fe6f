//go:build e2e

package e2e

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// tap is a door on the way to a server. It keeps every byte that goes in, but for
// the frames that keep up a connection of HTTP/2, and it can be shut.
type tap struct {
	Addr   string
	target string

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	in       bytes.Buffer
}

// newTap returns an open tap in front of a server.
func newTap(target string) (*tap, error) {
	p := &tap{target: target, conns: map[net.Conn]bool{}}
	return p, p.open("127.0.0.1:0")
}

func (p *tap) open(addr string) error {
	l, err := net.Listen("tcp4", addr)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.listener, p.Addr = l, l.Addr().String()
	p.mu.Unlock()
	go p.accept(l)
	return nil
}

func (p *tap) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go p.carry(c)
	}
}

func (p *tap) carry(c net.Conn) {
	defer c.Close()
	server, err := net.Dial("tcp4", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.conns[c], p.conns[server] = true, true
	p.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(c, server)
		_ = c.Close()
	}()
	_, _ = io.Copy(server, io.TeeReader(c, &requests{tap: p}))
	_ = server.Close()
	<-done
	p.mu.Lock()
	delete(p.conns, c)
	delete(p.conns, server)
	p.mu.Unlock()
}

func (p *tap) keep(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.in.Write(b)
}

// requests is the bytes of one connection on their way into a tap. Frames of HTTP/2
// that carry nothing of a request may come at any time.
type requests struct {
	tap   *tap
	rest  []byte
	begun bool
	http2 bool
}

const (
	preface     = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // RFC 9113 §3.4
	frameHeader = 9                                  // bytes, §4.1
)

// Write keeps what is whole.
func (r *requests) Write(b []byte) (int, error) {
	r.rest = append(r.rest, b...)
	if !r.begun && !strings.HasPrefix(preface, string(r.rest)) {
		r.begun, r.http2 = true, bytes.HasPrefix(r.rest, []byte(preface))
		if r.http2 {
			r.pass(len(preface), true)
		}
	}
	if r.begun && !r.http2 {
		r.pass(len(r.rest), true)
	}
	for r.http2 && len(r.rest) >= frameHeader {
		n := frameHeader + int(r.rest[0])<<16 + int(r.rest[1])<<8 + int(r.rest[2])
		if n > len(r.rest) {
			break
		}
		kind := r.rest[3]
		const settings, ping, windowUpdate = 4, 6, 8
		r.pass(n, kind != settings && kind != ping && kind != windowUpdate)
	}
	return len(b), nil
}

func (r *requests) pass(n int, keep bool) {
	if keep {
		r.tap.keep(r.rest[:n])
	}
	r.rest = r.rest[n:]
}

// seen returns every byte that went in since from.
func (p *tap) seen(from int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Clone(p.in.Bytes()[from:])
}

func (p *tap) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.in.Len()
}

// shut refuses new connections and breaks those that are open.
func (p *tap) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.listener.Close()
	for c := range p.conns {
		_ = c.Close()
	}
}

// reopen listens at the address of before.
func (p *tap) reopen(t *testing.T) {
	t.Helper()
	if err := p.open(p.Addr); err != nil {
		t.Fatal(err)
	}
}
