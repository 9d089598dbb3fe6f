// Package extproc is the Envoy external-processing server: it turns the messages
// of one ext_proc stream into the calls of one filter.Transaction and its answers
// back into messages. It decides nothing about requests; what it does decide is
// whether Envoy is set up so that a decision can be enforced.
//
// Three facts of Envoy rule it. A clean close of the stream lets the rest of the
// exchange through, so Process never returns nil before the exchange is final. An
// answer of the wrong type for the body mode is ignored in silence and the
// original bytes go upstream, so every answer is built in one place from the mode
// that Envoy itself reported. And a stream may begin in the response phase, with
// an answer of Envoy's own; it passes only if its attributes prove that.
package extproc

import (
	"errors"
	"io"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"

	"weir/filter"
)

// Limits bound what the server holds at a time.
type Limits struct {
	MaxBodyBytes     int64         // of one request or response body
	MaxBytesInFlight int64         // reserved by all exchanges together
	MaxStreams       uint32        // concurrent exchanges on one connection
	AdmissionTimeout time.Duration // how long an exchange waits for its bytes
	BodyTimeout      time.Duration // for a request, or a message of a stream, to become whole
	// MaxStreamRequests is the number of requests of one stream that may wait for
	// their answers.
	MaxStreamRequests int
}

// Server is the ext_proc service. It is safe for concurrent use.
type Server struct {
	extprocv3.UnimplementedExternalProcessorServer
	filter   *filter.Filter
	limits   Limits
	bytes    *semaphore.Weighted
	awaited  *semaphore.Weighted // the part of bytes that large bodies take before they come
	log      *slog.Logger
	streams  atomic.Int64
	reserved atomic.Int64
}

// New returns a server whose exchanges go through f.
func New(f *filter.Filter, limits Limits, log *slog.Logger) *Server {
	return &Server{filter: f, limits: limits, log: log, bytes: semaphore.NewWeighted(limits.MaxBytesInFlight),
		awaited: semaphore.NewWeighted(limits.MaxBytesInFlight / awaitedPart)}
}

// InFlight returns the number of open streams and the bytes reserved for bodies.
func (s *Server) InFlight() (streams, bytes int64) { return s.streams.Load(), s.reserved.Load() }

// Register returns a gRPC server that serves s, with message sizes that fit the
// largest body.
func (s *Server) Register() *grpc.Server {
	const envelope = 1 << 20 // headers and protobuf around a body
	g := grpc.NewServer(
		grpc.MaxRecvMsgSize(int(s.limits.MaxBodyBytes)+envelope),
		grpc.MaxSendMsgSize(int(s.limits.MaxBodyBytes)*2+envelope),
		grpc.MaxConcurrentStreams(s.limits.MaxStreams),
		// Envoy's pings find a Weir that has stopped. gRPC would take those on a quiet
		// connection, while bodies and answers are waited for, for an attack, and end
		// every exchange on it after four.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Nanosecond, PermitWithoutStream: true}),
	)
	extprocv3.RegisterExternalProcessorServer(g, s)
	return g
}

// Process serves one exchange. It returns nil only when the exchange is final:
// Weir has refused it, or has answered its last message.
func (s *Server) Process(stream extprocv3.ExternalProcessor_ProcessServer) (err error) {
	x := &exchange{server: s, stream: stream, ctx: stream.Context()}
	s.streams.Add(1)
	defer s.streams.Add(-1)
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic caught", "panic", p, "stack", string(debug.Stack()))
			err = status.Error(codes.Internal, "weir: panic")
		}
		x.close(err)
	}()
	next := make(chan struct{}, 1)
	defer close(next)
	messages := receive(stream, next)
	for {
		next <- struct{}{}
		if err := x.turn(messages); err != nil {
			return x.ended(err)
		}
	}
}

// turn answers one message, and before it what is overdue.
func (x *exchange) turn(messages <-chan received) error {
	for {
		select {
		case m := <-messages:
			if m.err != nil {
				return m.err
			}
			out, err := x.step(m.request)
			if err != nil {
				return err
			}
			return x.say(out)
		case <-x.late():
			if err := x.say(x.expired()); err != nil {
				return err
			}
		}
	}
}

// say sends answers; it waits while Envoy does not take them.
func (x *exchange) say(out answers) error {
	for _, response := range out {
		if err := x.stream.Send(response); err != nil {
			return err
		}
	}
	return nil
}

// received is one message of Envoy's, or the end of the stream.
type received struct {
	request *extprocv3.ProcessingRequest
	err     error
}

// receive reads a message of the stream for every value of next, until that is
// closed or the stream ends. It never reads ahead of what is judged.
func receive(stream extprocv3.ExternalProcessor_ProcessServer, next <-chan struct{}) <-chan received {
	messages := make(chan received, 1)
	go func() {
		for range next {
			request, err := stream.Recv()
			messages <- received{request, err}
			if err != nil {
				return
			}
		}
	}()
	return messages
}

// late returns a channel that gives a value when the awaited body is overdue. After
// the end of the exchange none is.
func (x *exchange) late() <-chan time.Time {
	if x.due.IsZero() || x.phase == final {
		return nil
	}
	return time.After(time.Until(x.due))
}

// ended turns the end of the stream into the result of Process: a clean close
// before the exchange is final would let the rest of it through unseen.
func (x *exchange) ended(err error) error {
	switch {
	case x.phase == final && errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, io.EOF):
		return status.Error(codes.Aborted, "weir: the stream ended before the exchange")
	default:
		return err
	}
}

// errRefused is what ends the requests of a call that Weir has refused.
var errRefused = errors.New("weir has ended the call")

func (x *exchange) close(err error) {
	x.arrived()
	x.release()
	if x.phase == final {
		err = nil
	}
	switch {
	case x.duplex == nil:
	case x.refused:
		x.duplex.stream.End(errRefused)
	default:
		x.duplex.stream.End(err)
	}
	if x.tx != nil {
		x.tx.End(err)
	}
}
