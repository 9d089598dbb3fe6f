//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
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
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		wantLocal(t, reply{response.StatusCode, response.Header, body}, http.StatusRequestTimeout, "body_timeout")
	})
	eventually(t, "the reserved bytes back", func() bool {
		metrics, err := s.weir.Metrics(t.Context())
		return err == nil && strings.Contains(metrics, "\nweir_in_flight_bytes 0\n")
	})
}
