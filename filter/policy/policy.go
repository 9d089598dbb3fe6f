// Package policy holds the compiled rules of one configuration: which models,
// inputs and outputs there are and what is done with each. Plan and Decide are
// pure, and Decide is the only place where findings become an action.
package policy

import (
	"cmp"
	"math"
	"path"
	"slices"
	"strings"

	"weir/filter/codec"
	"weir/monitor"
	"weir/monitor/baseline"
	"weir/sanitize"
)

// Mode says whether rules act. The zero value is Enforce.
type Mode uint8

// The modes, from the strictest.
const (
	Enforce Mode = iota // rules act
	Shadow              // rules are evaluated and recorded, values pass unchanged
	Off                 // rules are not evaluated
)

var modeNames = [...]string{"enforce", "shadow", "off"}

// String returns the mode's name in the configuration.
func (m Mode) String() string { return modeNames[min(int(m), len(modeNames)-1)] }

// ParseMode returns the mode of a name in the configuration.
func ParseMode(name string) (Mode, bool) {
	i := slices.Index(modeNames[:], name)
	return Mode(max(i, 0)), i >= 0
}

// Kind says how the values of an input are sanitised. The zero value denies.
type Kind uint8

// The kinds of inputs.
const (
	Undeclared Kind = iota
	Image           // files of images
	Pixels          // decoded pictures, as numbers
	Text            // UTF-8 in each BYTES element
	Tensor          // numbers: datatype, shape, range, NaN and infinities
	Opaque          // let through as it is, said out loud in the configuration
)

var kindNames = [...]string{"undeclared", "image", "pixels", "text", "tensor", "opaque"}

// String returns the kind's name in the configuration.
func (k Kind) String() string { return kindNames[min(int(k), len(kindNames)-1)] }

// Encoding is the form in which the file of an image stands in a value.
type Encoding uint8

// The encodings.
const (
	Raw     Encoding = iota // its bytes
	Base64                  // RFC 4648 §4, canonical
	DataURI                 // RFC 2397, in base64
)

// Input is the rule of one input; of the options, those of its kind count.
type Input struct {
	Kind     Kind
	Encoding Encoding // of an image
	Image    sanitize.ImageOptions
	Pixels   sanitize.PixelOptions
	Text     sanitize.TextOptions
	Tensor   sanitize.TensorOptions
}

// Output is the rule of one output. Labels, if any, name its classes by index.
type Output struct {
	Probabilities bool // rows over the last dimension are class probabilities
	Labels        []string
}

// Check is one check of an output.
type Check struct {
	Name          string
	Output        string
	MinConfidence float64 // floor of the top-1 probability of each row; 0: not checked
	Finite        bool    // refuse NaN and infinities
	Action        Action
	Mode          Mode
}

// Drift is how the outputs of a model are watched.
type Drift struct {
	Output   string // the output that holds the class probabilities
	Baseline *baseline.Baseline
	Digest   string // of the baseline
	File     string // where the baseline came from, for logs; "" without one
	Settings monitor.Settings
}

// Model is the rule set of the models that a pattern matches.
type Model struct {
	Pattern    string         // a name, or a glob in the sense of path.Match
	Protocol   codec.Protocol // codec.OpenAI or codec.Upload; Unknown: KServe V2, over HTTP and gRPC
	Versions   []string       // allowed versions; empty: those the server has
	Mode       Mode
	Inputs     map[string]Input
	Outputs    map[string]Output
	Parameters []string // request parameters that may reach the model
	Checks     []Check
	Drift      *Drift
}

// Policy is the compiled rules of one configuration. It is immutable.
type Policy struct {
	models []*Model // the most specific pattern first
	open   []codec.Operation
}

// New returns the policy of the given models. Plain names come before globs, and
// globs with more literal characters before those with fewer, whatever the order
// in the file; of equals, the one with more wildcards for a single character. open
// are the operations that are let through although they tell of the server's insides.
func New(models []*Model, open ...codec.Operation) *Policy {
	sorted := slices.Clone(models)
	slices.SortStableFunc(sorted, func(a, b *Model) int { return cmp.Compare(specificity(b.Pattern), specificity(a.Pattern)) })
	return &Policy{models: sorted, open: open}
}

func specificity(pattern string) int {
	if !IsGlob(pattern) {
		return math.MaxInt
	}
	literals, single := 0, 0
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*':
		case '?':
			single++
		case '[':
			single++
			i = classEnd(pattern, i)
		case '\\':
			i++
			literals++
		default:
			literals++
		}
	}
	return literals<<16 + single
}

// classEnd returns the index of the bracket that ends the character class which
// begins at i.
func classEnd(pattern string, i int) int {
	for i++; i < len(pattern) && pattern[i] != ']'; i++ {
		if pattern[i] == '\\' {
			i++
		}
	}
	return i
}

// IsGlob reports whether a pattern of a model is more than a plain name.
func IsGlob(pattern string) bool { return strings.ContainsAny(pattern, `*?[\`) }

// Opens reports whether an operation that is not closed to all is let through.
func (p *Policy) Opens(o codec.Operation) bool {
	switch o {
	case codec.Deny:
		return false
	case codec.ModelConfig, codec.ModelStatistics, codec.RepositoryIndex:
		return slices.Contains(p.open, o)
	}
	return true
}

// Models lists the rule sets, the most specific first. They are not to be changed.
func (p *Policy) Models() []*Model { return p.models }

// Model returns the rule set of a model, or nil if none matches.
func (p *Policy) Model(name string) *Model {
	for _, m := range p.models {
		if ok, err := path.Match(m.Pattern, name); ok && err == nil {
			return m
		}
	}
	return nil
}

// Watchable reports whether the model has class probabilities, which a drift
// detector could watch.
func (m *Model) Watchable() bool {
	for _, out := range m.Outputs {
		if out.Probabilities {
			return true
		}
	}
	return false
}

// Speaks reports whether the models are reached by this protocol. By another, they
// are not there.
func (m *Model) Speaks(p codec.Protocol) bool {
	if m.Protocol == codec.Unknown {
		return p == codec.KServeHTTP || p == codec.KServeGRPC
	}
	return p == m.Protocol
}

// Allows reports whether the rule set covers a version of its models.
func (m *Model) Allows(version string) bool {
	return len(m.Versions) == 0 || slices.Contains(m.Versions, version)
}
