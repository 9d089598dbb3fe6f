package telemetry

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// NewLogger returns a logger that writes JSON lines of at least level to w, with
// trace_id and span_id where the context of a line has a span.
func NewLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(traceHandler{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})})
}

// traceHandler adds the ids of the context's span to each line.
type traceHandler struct{ slog.Handler }

func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs)}
}

func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}

const (
	// maxLimiterKeys bounds the pairs of reason and model that are told apart.
	maxLimiterKeys = 1024
	// otherKey stands for both parts of the pairs beyond.
	otherKey = "_other"
)

// Event is a refusal or a flag that a Limiter writes.
type Event struct {
	Level      slog.Level
	Message    string
	Reason     string // with Model, what makes events equal
	Model      string
	DecisionID string
	Detail     string
}

// Limiter writes equal events, those of one reason and model, at most once in a
// window of time. The first is written at once; those that follow within the
// window make one line at its end, with their count and the last one's message,
// detail, decision id and trace. It is safe for concurrent use and never waits for a timer.
type Limiter struct {
	log    *slog.Logger
	window time.Duration

	mu      sync.Mutex // guards what follows
	pending map[limiterKey]*pendingEvents
	closed  bool
}

type limiterKey struct{ reason, model string }

type pendingEvents struct {
	count int // since the last line
	last  Event
	span  trace.SpanContext
	timer *time.Timer
}

// NewLimiter returns a Limiter that writes to log. The caller closes it.
func NewLimiter(log *slog.Logger, window time.Duration) *Limiter {
	return &Limiter{log: log, window: window, pending: map[limiterKey]*pendingEvents{}}
}

// Log writes the event or counts it for a later line. After Close every event is
// written.
func (l *Limiter) Log(ctx context.Context, event Event) {
	if !l.log.Enabled(ctx, event.Level) {
		return
	}
	span := trace.SpanContextFromContext(ctx)
	l.mu.Lock()
	key := limiterKey{event.Reason, event.Model}
	p, ok := l.pending[key]
	if !ok && len(l.pending) >= maxLimiterKeys {
		key = limiterKey{otherKey, otherKey}
		event.Reason, event.Model = otherKey, otherKey
		p, ok = l.pending[key]
	}
	switch {
	case ok:
		p.count++
		p.last, p.span = event, span
	case !l.closed:
		l.pending[key] = &pendingEvents{timer: time.AfterFunc(l.window, func() { l.endWindow(key) })}
	}
	l.mu.Unlock()
	if !ok {
		l.write(event, span, 1)
	}
}

// endWindow writes what gathered under key, and begins another window if that
// was anything.
func (l *Limiter) endWindow(key limiterKey) {
	l.mu.Lock()
	p, ok := l.pending[key]
	if !ok {
		l.mu.Unlock()
		return
	}
	event, span, count := p.last, p.span, p.count
	if p.count = 0; count == 0 {
		delete(l.pending, key)
	} else {
		p.timer.Reset(l.window)
	}
	l.mu.Unlock()
	if count > 0 {
		l.write(event, span, count)
	}
}

// Close ends all windows and writes what gathered in them.
func (l *Limiter) Close() {
	l.mu.Lock()
	pending := l.pending
	l.pending, l.closed = nil, true
	l.mu.Unlock()
	keys := make([]limiterKey, 0, len(pending))
	for key, p := range pending {
		p.timer.Stop()
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b limiterKey) int {
		return strings.Compare(a.model+"\x00"+a.reason, b.model+"\x00"+b.reason)
	})
	for _, key := range keys {
		if p := pending[key]; p.count > 0 {
			l.write(p.last, p.span, p.count)
		}
	}
}

func (l *Limiter) write(event Event, span trace.SpanContext, count int) {
	l.log.LogAttrs(trace.ContextWithSpanContext(context.Background(), span), event.Level, event.Message,
		slog.String("reason", event.Reason), slog.String("model", event.Model),
		slog.String("detail", event.Detail), slog.Int("count", count), slog.String("decision_id", event.DecisionID))
}
