package policy

// Reason is a code of the closed list of causes for which a rule finds fault.
// Findings also carry the reasons of sanitize and codec.
type Reason string

// The reasons of this package.
const (
	ModelUnknown        Reason = "model_unknown"
	VersionUnknown      Reason = "model_version_unknown"
	InputUndeclared     Reason = "input_undeclared"
	ParameterNotAllowed Reason = "parameter_not_allowed"
	LowConfidence       Reason = "low_confidence"
	OutputNotFinite     Reason = "output_not_finite"
	OutputUnreadable    Reason = "output_unreadable" // not what its check or the policy reads
)

// Reasons lists the closed list of this package.
func Reasons() []Reason {
	return []Reason{ModelUnknown, VersionUnknown, InputUndeclared, ParameterNotAllowed,
		LowConfidence, OutputNotFinite, OutputUnreadable}
}

// Action is what a finding asks for. The zero value is Block.
type Action uint8

// The actions, from the strictest.
const (
	Block Action = iota // the exchange is refused
	Flag                // let through, marked in headers and metadata
	Note                // let through and recorded: something was sanitised
	Allow               // nothing found
)

var actionNames = [...]string{"block", "flag", "sanitize", "pass"}

// String returns the action's name in headers, metrics and logs.
func (a Action) String() string { return actionNames[min(int(a), len(actionNames)-1)] }

// Finding is one thing that a rule found. It never holds content.
type Finding struct {
	Rule   string // the name of the check, the kind of the input, or the reason
	Part   string // the input, output or parameter
	Reason Reason
	Detail string // for the log and the span; for the client only if it blocks
	Bytes  int    // removed by a sanitiser
	Action Action
	Mode   Mode
	// Measured is the number that the rule compared. It is for the operator: a
	// client that learnt it could feel its way to the threshold.
	Measured Measured
}

// Measured is a number on the wrong side of its threshold. The zero value says
// that the rule compares none.
type Measured struct {
	Of        string // "confidence", "pixels", "bytes"; "" for none
	Value     float64
	Threshold float64
	Index     int // of the row of the output, or of the element of the input
}

// Verdict is what becomes of a message.
type Verdict struct {
	Action Action
	Reason Reason // of the finding that decided, as Detail
	Detail string
	Shadow Action // what the findings in shadow mode would have made of it
}

// Decide makes one verdict of all findings so far: the strictest of those that
// are enforced acts, the earliest of equals gives the reason. Findings in shadow
// mode do not act; what they would have done is in Shadow.
func Decide(findings []Finding) Verdict {
	v := Verdict{Action: Allow, Shadow: Allow}
	for _, f := range findings {
		switch {
		case f.Mode == Enforce && f.Action < v.Action:
			v.Action, v.Reason, v.Detail = f.Action, f.Reason, f.Detail
		case f.Mode == Shadow && f.Action < v.Shadow:
			v.Shadow = f.Action
			if v.Action == Allow {
				v.Reason, v.Detail = f.Reason, f.Detail
			}
		}
	}
	return v
}
