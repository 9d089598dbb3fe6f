package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// forwarder carries each connection to a local port on to a target.
type forwarder struct {
	listener net.Listener
	target   atomic.Value // string, "host:port"
}

// forward listens on a port that the examples and tests have in their source.
func forward(port int) (*forwarder, error) {
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("NVIDIA's tests have localhost:%d in their source, so that port must be free: %w", port, err)
	}
	f := &forwarder{listener: listener}
	f.target.Store("")
	go f.serve()
	return f, nil
}

func (f *forwarder) serve() {
	for {
		client, err := f.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go f.carry(client)
		}
	}
}

func (f *forwarder) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp4", f.target.Load().(string))
	if err != nil {
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			if _, err := io.Copy(way[1], way[0]); err != nil {
				client.Close() // a reset is passed on, both ways
				server.Close()
			}
			_ = way[1].(*net.TCPConn).CloseWrite()
		})
	}
	both.Wait()
}
