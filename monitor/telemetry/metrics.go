package telemetry

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	// unknown is the label value of what is not known to the configuration.
	unknown = "_unknown"
	// maxValueBytes bounds a label or attribute value.
	maxValueBytes = 256
)

// durationBounds are the buckets of Weir's own time in seconds. They are explicit
// because the text formats of Prometheus cannot carry exponential ones.
var durationBounds = []float64{
	.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10,
}

// streamBounds are the buckets of a whole exchange in seconds; streams live long.
var streamBounds = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}

// instruments are the metrics that are counted as things happen. Those that are
// read at a scrape are in observables.
type instruments struct {
	processDuration  metric.Float64Histogram
	streamDuration   metric.Float64Histogram
	requests         metric.Int64Counter
	findings         metric.Int64Counter
	outputRejections metric.Int64Counter
	driftAlarms      metric.Int64Counter
	driftLastAlarm   metric.Float64Gauge
	configReload     metric.Int64Counter
	exporterDropped  metric.Int64Counter
}

// newInstruments makes all instruments. Prometheus names follow from these by
// the rules of OpenTelemetry: dots become underscores, the unit and, on counters,
// "total" are appended.
func (t *Telemetry) newInstruments(meter metric.Meter) error {
	b := builder{meter: meter}
	t.instruments = instruments{
		processDuration: b.histogram("weir.process.duration", "Time that Weir itself spent on one phase of an exchange, without the model server's.", durationBounds),
		streamDuration:  b.histogram("weir.stream.duration", "Time from the first message of an exchange to its end, the model server's included.", streamBounds),
		requests:        b.counter("weir.requests", "{request}", "Exchanges that ended, by decision: pass, sanitize, flag, block or error."),
		findings:        b.counter("weir.findings", "{finding}", "What rules found in inputs and outputs, and what was done about it."),
		outputRejections: b.counter("weir.output.rejections", "{output}",
			"Outputs of the model server that were not passed on, by reason."),
		driftAlarms: b.counter("weir.drift.alarms", "{alarm}", "Drift alarms."),
		driftLastAlarm: b.gauge("weir.drift.last_alarm.timestamp", "s",
			"When the last drift alarm was raised, in seconds since the epoch."),
		configReload: b.counter("weir.config.reload", "{reload}", "Loads of the configuration, the one at start included, by outcome."),
		exporterDropped: b.counter("weir.exporter.dropped", "{span}",
			"Spans that were not delivered to the trace receiver."),
	}
	b.observe(t)
	if b.err != nil {
		return b.err
	}
	// A counter that appears with its first event has no increase that an alert
	// could see; so those without open labels begin at 0.
	ctx := context.Background()
	t.exporterDropped.Add(ctx, 0)
	for _, outcome := range []string{reloadSuccess, reloadFailure} {
		t.configReload.Add(ctx, 0, labels("outcome", outcome))
	}
	return nil
}

// builder makes instruments and collects the errors.
type builder struct {
	meter metric.Meter
	err   error
}

func keep[T any](b *builder, instrument T, err error) T {
	b.err = errors.Join(b.err, err)
	return instrument
}

func (b *builder) counter(name, unit, help string) metric.Int64Counter {
	c, err := b.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(help))
	return keep(b, c, err)
}

func (b *builder) gauge(name, unit, help string) metric.Float64Gauge {
	g, err := b.meter.Float64Gauge(name, metric.WithUnit(unit), metric.WithDescription(help))
	return keep(b, g, err)
}

func (b *builder) histogram(name, help string, bounds []float64) metric.Float64Histogram {
	h, err := b.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(help),
		metric.WithExplicitBucketBoundaries(bounds...))
	return keep(b, h, err)
}

func (b *builder) observableGauge(name, unit, help string) metric.Float64ObservableGauge {
	g, err := b.meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(help))
	return keep(b, g, err)
}

func (b *builder) observableCounter(name, unit, help string) metric.Int64ObservableCounter {
	c, err := b.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(help))
	return keep(b, c, err)
}

// labels returns the option with the labels of alternating names and values.
func labels(pairs ...string) metric.MeasurementOption {
	set := make([]attribute.KeyValue, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		set = append(set, attribute.String(pairs[i], clean(pairs[i+1])))
	}
	return metric.WithAttributes(set...)
}

// clean makes a value that may come from outside fit for a label or an
// attribute: valid UTF-8 (one bad byte would lose the whole page or batch) of at
// most maxValueBytes.
func clean(s string) string {
	if len(s) > maxValueBytes {
		s = s[:maxValueBytes]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if r, size := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && size == 1 {
			s = s[:len(s)-1]
		}
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
