package local

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
)

func TestFreePortNeverRepeats(t *testing.T) {
	var (
		mu   sync.Mutex
		seen = make(map[int]bool)
		wait sync.WaitGroup
	)
	for range 8 {
		wait.Go(func() {
			for range 25 {
				port, err := FreePort()
				mu.Lock()
				if err != nil || seen[port] {
					t.Errorf("port %d, seen before: %v, error: %v", port, seen[port], err)
				}
				seen[port] = true
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	for port := range seen {
		listener, err := net.Listen("tcp4", loopback(port))
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
		// What keeps the port from other processes.
		if claim, err := net.Listen("unix", fmt.Sprintf("@weir-port-%d", port)); err == nil {
			claim.Close()
			t.Errorf("port %d is not claimed", port)
		}
	}
}

func TestWithPortsTriesAgainOnlyWhenAPortWasTaken(t *testing.T) {
	taken := &Failure{Err: errors.New("exit status 1"), Tail: []string{"failed: Address already in use", "bye"}}
	tests := []struct {
		name      string
		errs      []error
		wantCalls int
		wantErr   error
	}{
		{"success", []error{nil}, 1, nil},
		{"taken once", []error{taken, nil}, 2, nil},
		{"taken always", []error{taken, taken, taken}, 3, taken},
		{"another failure", []error{&Failure{Err: os.ErrInvalid, Tail: []string{"bad model"}}}, 1, os.ErrInvalid},
		{"not a failure", []error{os.ErrPermission}, 1, os.ErrPermission},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var calls []string
			err := withPorts(2, func(ports []int) error {
				calls = append(calls, fmt.Sprint(ports))
				return test.errs[len(calls)-1]
			})
			if !errors.Is(err, test.wantErr) || len(calls) != test.wantCalls {
				t.Errorf("%d calls, error %v; want %d and %v", len(calls), err, test.wantCalls, test.wantErr)
			}
			if len(calls) > 1 && calls[0] == calls[1] {
				t.Errorf("tried the same ports again: %s", strings.Join(calls, ", "))
			}
		})
	}
}
