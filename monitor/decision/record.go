package decision

import (
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Verdict is what became of an exchange.
type Verdict string

// The verdicts, from the strictest.
const (
	Error    Verdict = "error"    // Weir or the model server failed, or the exchange ended early
	Block    Verdict = "block"    // refused by a rule
	Flag     Verdict = "flag"     // passed on and marked
	Sanitize Verdict = "sanitize" // passed on, changed
	Pass     Verdict = "pass"     // passed on, nothing found
)

// Verdicts lists the closed list.
func Verdicts() []Verdict { return []Verdict{Error, Block, Flag, Sanitize, Pass} }

// Phase is the part of an exchange in which its verdict was made.
type Phase string

// The phases, in their order.
const (
	RequestHead  Phase = "request_head"
	RequestBody  Phase = "request_body"
	ResponseHead Phase = "response_head"
	ResponseBody Phase = "response_body"
)

// Record is the evidence of one decision: names, codes, sizes and numbers that
// rules compared, never contents.
type Record struct {
	ID        string    `json:"id"`
	Time      time.Time `json:"time"` // when the exchange began
	Protocol  string    `json:"protocol,omitempty"`
	Operation string    `json:"operation,omitempty"`
	Method    string    `json:"method,omitempty"`
	Path      string    `json:"path,omitempty"`    // canonical; "" for a path that has no such form
	Stream    string    `json:"stream,omitempty"`  // decision id of the stream that this is a message of
	Message   int       `json:"message,omitempty"` // its number among the client's, from 1

	Model   string `json:"model,omitempty"` // "" for one that the policy does not know
	Version string `json:"version,omitempty"`
	Mode    string `json:"mode,omitempty"` // of the model

	Verdict Verdict `json:"verdict"`
	Shadow  string  `json:"shadow,omitempty"` // the action that the rules in shadow mode would have taken
	Phase   Phase   `json:"phase"`
	Reason  string  `json:"reason,omitempty"` // code of the closed list; "" for a plain pass
	Detail  string  `json:"detail,omitempty"` // why, in words

	Config   string `json:"config,omitempty"`    // digest of the configuration that decided
	Baseline string `json:"baseline,omitempty"`  // digest of the drift baseline
	BodyHash string `json:"body_hash,omitempty"` // keyed hash of the body that the model server got

	UpstreamStatus  int     `json:"upstream_status,omitempty"`  // HTTP status of the model server; 0 without an answer
	RequestSeconds  float64 `json:"request_seconds,omitempty"`  // that Weir worked on the request
	ResponseSeconds float64 `json:"response_seconds,omitempty"` // that Weir worked on the answer
	TotalSeconds    float64 `json:"total_seconds"`              // from the head to the end

	TraceID   string `json:"trace_id,omitempty"`
	RequestID string `json:"request_id,omitempty"` // of the proxy

	Findings     []Finding `json:"findings,omitempty"`
	MoreFindings int       `json:"more_findings,omitempty"` // that are left out
}

// Finding is one thing that a rule found.
type Finding struct {
	Rule     string    `json:"rule"` // name of the check, kind of the input, or the reason
	Part     string    `json:"part"` // "input IMAGE", "output SCORES", "parameter steer"
	Action   string    `json:"action"`
	Mode     string    `json:"mode"` // of the rule; only "enforce" acts
	Reason   string    `json:"reason,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	Measured *Measured `json:"measured,omitempty"` // nil when the rule compares no number
	Removed  int       `json:"bytes_removed,omitempty"`
}

// Measured is the number that a rule found on the wrong side of its threshold.
type Measured struct {
	Of        string  `json:"of"` // "confidence", "pixels", "bytes"
	Value     float64 `json:"value"`
	Threshold float64 `json:"threshold"`
	Index     int     `json:"index"` // of the row of the output, or of the element of the input
}

// The bounds of what is kept of one record, in bytes of UTF-8. With them, and the
// structs themselves, no record takes more than 8 KiB.
const (
	MaxFindings = 8
	maxCode     = 64 // of a closed list, or a check's name
	maxName     = 96
	maxDetail   = 192
	maxPath     = 256
)

// marked reports whether somebody may ask why: the exchange was refused, marked,
// or would have been if its rules were enforced.
func (r *Record) marked() bool {
	switch r.Verdict {
	case Pass, Sanitize:
		return r.Shadow == string(Block) || r.Shadow == string(Flag)
	}
	return true
}

// keep returns a copy of bounded size that shares no memory with r.
func (r *Record) keep() *Record {
	k := *r
	clipAll(maxCode, &k.ID, &k.Stream, &k.Protocol, &k.Operation, &k.Method, &k.Mode, &k.Shadow, &k.Reason,
		&k.BodyHash, &k.TraceID, &k.RequestID)
	clipAll(maxName, &k.Model, &k.Version, &k.Config, &k.Baseline)
	clipAll(maxPath, &k.Path)
	clipAll(maxDetail, &k.Detail)
	k.Verdict, k.Phase = Verdict(clip(string(k.Verdict), maxCode)), Phase(clip(string(k.Phase), maxCode))
	n := min(len(r.Findings), MaxFindings)
	k.MoreFindings += len(r.Findings) - n
	k.Findings = make([]Finding, n)
	for i, f := range r.Findings[:n] {
		k.Findings[i] = f.keep()
	}
	return &k
}

func (f Finding) keep() Finding {
	clipAll(maxCode, &f.Rule, &f.Action, &f.Mode, &f.Reason)
	clipAll(maxName, &f.Part)
	clipAll(maxDetail, &f.Detail)
	if m := f.Measured; m != nil {
		f.Measured = nil
		if finite(m.Value) && finite(m.Threshold) { // JSON has no form for others
			f.Measured = &Measured{Of: clip(m.Of, maxCode), Value: m.Value, Threshold: m.Threshold, Index: m.Index}
		}
	}
	return f
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func clipAll(limit int, texts ...*string) {
	for _, s := range texts {
		*s = clip(*s, limit)
	}
}

// clip copies s up to limit bytes. Names and details can hold what a client
// wrote: whatever is not text for one line of a terminal is replaced.
func clip(s string, limit int) string {
	const ellipsis = "…"
	cut := len(s) > limit
	if cut {
		end := limit - len(ellipsis)
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
	}
	if strings.ContainsFunc(s, unprintable) {
		s = strings.Map(func(r rune) rune {
			if unprintable(r) {
				return '?' // of one byte: the text does not grow
			}
			return r
		}, s)
	}
	if cut {
		return s + ellipsis
	}
	return strings.Clone(s)
}

// unprintable includes what bytes that are not UTF-8 are read as.
func unprintable(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }
