package sanitize

import (
	"context"
	"fmt"

	"golang.org/x/sync/semaphore"
)

// Memory bounds what the pixel steps of all images at the same time may need. A
// nil *Memory bounds nothing. It is safe for concurrent use.
type Memory struct {
	bytes int64
	free  *semaphore.Weighted
}

// NewMemory returns a Memory of that many bytes, which are free.
func NewMemory(bytes int64) *Memory {
	return &Memory{bytes: bytes, free: semaphore.NewWeighted(bytes)}
}

// take waits until n bytes are free, or all of them if n is more, and takes them
// until release is called. The error is that of the context.
func (m *Memory) take(ctx context.Context, n int64) (release func(), err error) {
	if m == nil {
		return func() {}, nil
	}
	n = min(n, m.bytes)
	if err := m.free.Acquire(ctx, n); err != nil {
		return nil, fmt.Errorf("waiting for memory: %w", err)
	}
	return func() { m.free.Release(n) }, nil
}
