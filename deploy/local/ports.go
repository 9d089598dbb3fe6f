package local

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
)

// Ports are taken from below the range from which Linux picks the local ports
// of outgoing connections (32768 to 60999, net.ipv4.ip_local_port_range), so
// that none is lost between its choice and its use.
const (
	firstPort = 20000
	lastPort  = 32767
)

var claims struct {
	sync.Mutex
	sockets []net.Listener // open until this process ends
}

// FreePort returns a TCP port on which nothing listens at 127.0.0.1. No other
// call returns it again while this process lives, in this process or in
// another one on the machine: the claim is an abstract Unix socket, which the
// kernel frees with the process.
func FreePort() (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		claim, err := net.Listen("unix", fmt.Sprintf("@weir-port-%d", port))
		if err != nil {
			continue
		}
		probe, err := net.Listen("tcp4", loopback(port))
		if err != nil {
			claim.Close()
			continue
		}
		probe.Close()
		claims.Lock()
		claims.sockets = append(claims.sockets, claim)
		claims.Unlock()
		return port, nil
	}
	return 0, fmt.Errorf("no free port found between %d and %d", firstPort, lastPort)
}

// loopback returns "127.0.0.1:port".
func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// withPorts calls start with n free ports, and again with others when a
// stranger took one of them before the process could.
func withPorts(n int, start func(ports []int) error) error {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		ports := make([]int, n)
		for i := range ports {
			port, err := FreePort()
			if err != nil {
				return err
			}
			ports[i] = port
		}
		if err := start(ports); err == nil || attempt == attempts || !portTaken(err) {
			return err
		}
	}
}

// portTaken reports whether a process ended because its port was in use, which
// Triton and Prometheus both say in these words.
func portTaken(err error) bool {
	var failure *Failure
	if !errors.As(err, &failure) {
		return false
	}
	text := strings.ToLower(strings.Join(failure.Tail, "\n"))
	return strings.Contains(text, "already in use")
}
