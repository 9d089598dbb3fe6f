package extproc

import "context"

// memoryFactor is what one body costs at its peak: stock grpc-go holds 3.1 times
// a body while it receives it and 4.1 times while a replacement goes back.
const memoryFactor = 4

// minBodyBytes is reserved for every body: a small one may become this large on
// its way without asking for more, which under pressure would be refused.
const minBodyBytes = 64 << 10

// Large bodies that have not come hold at most one part of what may be in flight:
// a few clients that announce much and send it slowly, or never, do not keep out
// those with small requests. Small is what takes a largePart of it or less.
const (
	awaitedPart = 2
	largePart   = 64
)

// reserve takes the bytes of one body out of what may be in flight, before Envoy
// is told to send it. It returns false when they cannot be had in time.
func (x *exchange) reserve(body int64) bool {
	n := min(max(body, minBodyBytes)*memoryFactor, x.server.limits.MaxBytesInFlight)
	ctx, cancel := context.WithTimeout(x.ctx, x.server.limits.AdmissionTimeout)
	defer cancel()
	if x.server.bytes.Acquire(ctx, n) != nil {
		return false
	}
	x.reserved += n
	x.server.reserved.Add(n)
	return true
}

// await takes the place of a body among those that have not come, if it is large.
// It returns false when there is none in time.
func (x *exchange) await(body int64) bool {
	n := x.server.place(body)
	if n == 0 {
		return true // and not behind the large ones
	}
	ctx, cancel := context.WithTimeout(x.ctx, x.server.limits.AdmissionTimeout)
	defer cancel()
	if x.server.awaited.Acquire(ctx, n) != nil {
		return false
	}
	x.awaited = n
	return true
}

// place is what a body that has not come takes among those: nothing if it is small.
func (s *Server) place(body int64) int64 {
	if body*memoryFactor <= s.limits.MaxBytesInFlight/largePart {
		return 0
	}
	return min(body*memoryFactor, s.limits.MaxBytesInFlight/awaitedPart)
}

// awaitMore changes the place to that of a message of a stream of which so much has
// come. It returns false if there is none at once.
func (x *exchange) awaitMore(pending int64) bool {
	n := x.server.place(pending)
	if n > x.awaited && !x.server.awaited.TryAcquire(n-x.awaited) {
		return false
	}
	x.server.awaited.Release(max(x.awaited-n, 0))
	x.awaited = n
	return true
}

// arrived gives the place of a body that has come to others.
func (x *exchange) arrived() {
	x.server.awaited.Release(x.awaited)
	x.awaited = 0
}

// grow reserves what a body takes beyond what was reserved, if it can be had at
// once: who holds some does not wait for more.
func (x *exchange) grow(body int64) bool {
	n := min(body*memoryFactor, x.server.limits.MaxBytesInFlight) - x.reserved
	if n > 0 {
		if !x.server.bytes.TryAcquire(n) {
			return false
		}
		x.reserved += n
		x.server.reserved.Add(n)
	}
	return true
}

// shrink gives back what was reserved beyond a body that has come.
func (x *exchange) shrink(body int64) {
	if n := x.reserved - body*memoryFactor; n > 0 {
		x.server.bytes.Release(n)
		x.server.reserved.Add(-n)
		x.reserved -= n
	}
}

// release gives back everything.
func (x *exchange) release() { x.shrink(0) }
