// Package telemetry says what Weir did: traces over OTLP, metrics for
// Prometheus and log lines. It never decides, never blocks and never fails a
// request; what it cannot deliver it drops and counts.
//
// Every exchange is one SERVER span "weir.process" with a child per step, an
// observation of weir.process.duration and a count of weir.requests, both with
// the trace id as exemplar. The span covers the whole exchange, the model
// server's time included; weir.process.duration holds only Weir's own time.
//
// No payload reaches a signal: names, sizes, scores and ids only. Label values
// of metrics come from the configuration; a model name that only a client knows
// is counted as "_unknown", and an instrument with too many series adds the
// rest up in one that is labelled otel_metric_overflow="true".
//
// A trace whose parent was not sampled is not exported, also when the request is
// refused: the log line of the refusal then is what keeps its trace id.
package telemetry
