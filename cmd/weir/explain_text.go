package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"weir/monitor/decision"
)

// print writes the explanation for people.
func (e *explanation) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, text)
		}
	}
	line("decision", e.ID)
	line("verdict", fmt.Sprintf("%s, in the phase %s", e.Verdict, e.Phase))
	line("reason", e.reason())
	line("detail", e.Detail)
	line("rule", e.rule())
	line("shadow", e.shadow())
	line("hint", e.Hint)
	line("model", e.model())
	line("request", e.request())
	line("stream", e.stream())
	line("configuration", e.config())
	line("baseline", e.Baseline)
	line("model server", e.upstream())
	line("time", e.times())
	line("trace", e.TraceID)
	line("request id", e.RequestID)
	_ = w.Flush() // run sees a failed standard output
	e.printFindings(out)
}

func (e *explanation) reason() string {
	if e.Reason == "" {
		return ""
	}
	return e.Reason + ": " + e.Sentence
}

// rule names the rule that decided, with what it measured.
func (e *explanation) rule() string {
	if f := e.find("enforce", string(e.Verdict)); f != nil {
		return f.text()
	}
	if e.Verdict == decision.Block {
		return "built in, none of the model's"
	}
	return ""
}

// shadow says what the rules in shadow mode would have done.
func (e *explanation) shadow() string {
	if e.Shadow == "" {
		return ""
	}
	text := "enforcing would have decided " + e.Shadow
	if f := e.find("shadow", e.Shadow); f != nil {
		text += ": " + f.text()
	}
	return text
}

// find returns the finding that led to an action, as policy.Decide does: the
// first of those with this action.
func (e *explanation) find(mode, action string) *told {
	for _, f := range e.Findings {
		if f.Mode == mode && f.Action == action && (mode == "shadow" || f.Reason == e.Reason) {
			return (*told)(&f)
		}
	}
	return nil
}

// told is a finding for people.
type told decision.Finding

func (f *told) text() string {
	text := f.Rule + " on " + f.Part
	if m := f.measured(); m != "" {
		text += ": " + m
	}
	return text
}

// measured is the value against the threshold.
func (f *told) measured() string {
	m := f.Measured
	if m == nil {
		return ""
	}
	sign := "<"
	if m.Value > m.Threshold {
		sign = ">"
	}
	where := "row"
	if strings.HasPrefix(f.Part, "input ") {
		where = "element"
	}
	return fmt.Sprintf("%s %s %s %s, %s %d", m.Of, number(m.Value), sign, number(m.Threshold), where, m.Index)
}

// number is the shortest text that reads as the same number, of the precision in
// which models compute.
func number(x float64) string {
	if float64(float32(x)) == x {
		return strconv.FormatFloat(x, 'f', -1, 32)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

func (e *explanation) model() string {
	if e.Model == "" {
		return ""
	}
	text := e.Model
	if e.Version != "" {
		text += ", version " + e.Version
	}
	return text + ", mode " + e.Mode
}

func (e *explanation) request() string {
	text := strings.TrimSpace(e.Method + " " + e.Path)
	return strings.TrimPrefix(fmt.Sprintf("%s, %s over %s", text, e.Operation, e.Protocol), ", ")
}

func (e *explanation) stream() string {
	switch {
	case e.Stream == "":
		return ""
	case e.Message == 0:
		return "an answer to none of the requests of " + e.Stream
	default:
		return fmt.Sprintf("request %d of %s", e.Message, e.Stream)
	}
}

func (e *explanation) config() string {
	switch e.Config {
	case "":
		return "none was in use yet"
	case e.ConfigInUse:
		return e.Config + ", in use"
	default:
		return e.Config + ", replaced; in use is " + e.ConfigInUse
	}
}

func (e *explanation) upstream() string {
	switch {
	case e.BodyHash == "" && e.UpstreamStatus == 0:
		return "" // nothing went there that carries an inference
	case e.UpstreamStatus == 0:
		return "no status; body sent " + e.BodyHash
	case e.BodyHash == "":
		return fmt.Sprintf("status %d", e.UpstreamStatus)
	default:
		return fmt.Sprintf("status %d; body sent %s", e.UpstreamStatus, e.BodyHash)
	}
}

func (e *explanation) times() string {
	return fmt.Sprintf("%s, for %s; in Weir %s on the request, %s on the answer", e.Time.Format(time.RFC3339Nano),
		span(e.TotalSeconds), span(e.RequestSeconds), span(e.ResponseSeconds))
}

// span is a time in milliseconds.
func span(seconds float64) string { return fmt.Sprintf("%.3f ms", seconds*1e3) }

func (e *explanation) printFindings(out io.Writer) {
	if len(e.Findings) == 0 {
		return
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tON\tACTION\tMODE\tREASON\tMEASURED\tREMOVED")
	for _, f := range e.Findings {
		removed := "-"
		if f.Removed > 0 {
			removed = fmt.Sprintf("%d B", f.Removed)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Rule, f.Part, f.Action, f.Mode, dash(f.Reason), dash((*told)(&f).measured()), removed)
	}
	_ = w.Flush() // run sees a failed standard output
	if e.MoreFindings > 0 {
		fmt.Fprintf(out, "%d more findings are not kept\n", e.MoreFindings)
	}
}
