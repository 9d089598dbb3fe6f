//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestSlowBodyIsGivenUp holds that a body which trickles in does not keep the
// memory that Weir reserved for it.
func TestSlowBodyIsGivenUp(t *testing.T) {
	config := strings.Replace(quick, "limits: {", "limits: {body_timeout: 1s, ", 1) +
		"models:\n  - {name: echo, inputs: {TEXT: {kind: text}}}\n"
	s := private(t, stackOptions{upstream: triton.HTTP, config: config})
	s.unmoved(t, func() {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(bounded)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nhost: weir\r\ncontent-length: 4000000\r\n\r\n{", echoInfer)
		answer, err := io.ReadAll(c)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), "x-weir-reason: body_timeout") {
			t.Errorf("%s %v, want 408 and body_timeout", answer, err)
		}
	})
	eventually(t, "the reserved bytes back", func() bool {
		metrics, err := s.weir.Metrics(t.Context())
		return err == nil && strings.Contains(metrics, "\nweir_in_flight_bytes 0\n")
	})
}
