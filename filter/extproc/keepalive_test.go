package extproc

import (
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// Envoy pings every few seconds, while an exchange waits for a slow body or model.
func TestPingsOfAQuietConnectionAreAnswered(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := newServer(t).Register()
	defer g.Stop()
	go g.Serve(listener)
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(c, c)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	for ping := byte(1); ping <= 20; ping++ {
		if err := framer.WritePing(false, [8]byte{ping}); err != nil {
			t.Fatal(err)
		}
		for answered := false; !answered; {
			frame, err := framer.ReadFrame()
			if err != nil {
				t.Fatalf("ping %d: %v", ping, err)
			}
			switch f := frame.(type) {
			case *http2.GoAwayFrame:
				t.Fatalf("ping %d: the connection ends with %s %q", ping, f.ErrCode, f.DebugData())
			case *http2.PingFrame:
				answered = f.IsAck() && f.Data[0] == ping
			}
		}
	}
}
