package draft

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

const preface = `# Write for every "unconfirmed" what the input holds, then run weir check. Weir does
# not start with this file before that is done.
#
#   image   files of images; all that is not picture is removed
#   pixels  decoded pictures as numbers, which profiles can change
#   text    UTF-8; hidden characters and controls are removed
#   tensor  numbers; datatype, shape, range, NaN and infinity are checked
#   opaque  anything; it reaches the model as it is
#
# Delete what clients are not to reach: a model, a version, an input or a request
# parameter that is not here is refused. Refused whatever stands here are tensors in
# shared memory, loading and unloading of models, and settings of trace and log.
`

// The dialects of a policy.
const (
	triton   = "triton"
	flatJSON = "v2-json"
)

// Policy writes the draft of a policy. Equal servers give equal drafts.
func (s Server) Policy() []byte {
	w := &writer{flat: s.flat()}
	w.line("# Drafted by weir init from %s at %s.", comment(strings.TrimSpace(s.Name+" "+s.Version)), comment(s.HTTP))
	w.text.WriteString(preface)
	w.upstream(s)
	w.line("\n# defaults: {mode: shadow}  # to begin with: rules are recorded and do not act")
	if s.Drafted() {
		w.line("\nmodels:")
	}
	between := ""
	for _, m := range s.Models {
		if m.problem() == "" {
			w.text.WriteString(between)
			w.model(m)
			between = "\n"
		}
	}
	if problems := s.Problems(); len(problems) > 0 {
		w.line("\n# On the server, but not drafted:\n#   %s", strings.Join(problems, "\n#   "))
	}
	return w.text.Bytes()
}

// upstream writes where the server is and which form of requests it takes.
func (w *writer) upstream(s Server) {
	w.line("\nupstream:")
	if w.flat {
		w.line("  dialect: %s  # the server does not say that it takes binary tensors", flatJSON)
	} else {
		w.line("  dialect: %s", triton)
	}
	exposed := ""
	if s.Exposed() {
		exposed = "  # not on loopback: clients that reach it pass Weir by"
	}
	w.line("  http: %s%s", value(s.HTTP), exposed)
	switch {
	case w.flat:
		w.line("  # gRPC is closed with this dialect")
	case s.GRPC == "":
		w.line(`  grpc: ""  # closed; the host:port of the server's gRPC endpoint opens it`)
	default:
		w.line("  grpc: %s", value(s.GRPC))
	}
}

// Drafted reports whether the policy holds any model.
func (s Server) Drafted() bool { return len(s.Problems()) < len(s.Models) }

// Problems says which models the policy does not hold, and why, one a line.
func (s Server) Problems() (lines []string) {
	for _, m := range s.Models {
		if problem := m.problem(); problem != "" {
			lines = append(lines, comment(m.Name)+": "+comment(problem))
		}
	}
	return lines
}

type writer struct {
	text bytes.Buffer
	flat bool // the server takes tensors in JSON only
}

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(&w.text, format+"\n", args...)
}

// maxName is the longest name of a tensor, in bytes: the default of
// limits.max_name_bytes.
const maxName = 256

// problem says why a model cannot be served; "" if it can.
func (m *Model) problem() string {
	switch {
	case !codec.ValidModel(m.Name):
		return "no request can name it: names of models hold letters, digits and . _ ~ -"
	case m.Problem != "":
		return m.Problem
	}
	for _, s := range slices.Concat(m.Versions[0].Inputs, m.Versions[0].Outputs) {
		if len(s.Name) > maxName || strings.ContainsFunc(s.Name, unicode.IsControl) {
			return "no request can name all of its tensors"
		}
	}
	return ""
}

// model writes the rules of a model, for its newest version and those like it.
func (w *writer) model(m Model) {
	newest := m.Versions[0]
	w.about(newest)
	w.line("  - name: %s", scalar(m.Name))
	var same, other []string
	for _, v := range m.Versions {
		switch {
		case !codec.ValidVersion(v.Number):
		case alike(newest, v):
			same = append(same, strconv.Quote(v.Number))
		default:
			other = append(other, v.Number)
		}
	}
	if len(same) > 0 {
		w.line("    versions: [%s]", strings.Join(same, ", "))
	}
	if len(other) > 0 {
		w.line("    # not in the list, for their inputs or outputs differ: %s", strings.Join(other, ", "))
	}
	w.line("    inputs:")
	for _, in := range newest.Inputs {
		w.input(in, newest)
	}
	if len(newest.Inputs) == 0 {
		w.line(`      "?": {kind: unconfirmed}  # the server names no inputs: write those of the model`)
	}
	w.outputs(newest)
	if newest.Config != nil && newest.Config.Sequences {
		w.line("    # parameters: [sequence_id, sequence_start, sequence_end]  # the model keeps state between requests")
	}
}

// alike reports whether the same rules fit two versions.
func alike(a, b Version) bool {
	x := codec.Signature{Inputs: a.Inputs, Outputs: a.Outputs}
	return x.Equal(&codec.Signature{Inputs: b.Inputs, Outputs: b.Outputs})
}

// about says in comments what the server tells of a model.
func (w *writer) about(v Version) {
	c := v.Config
	if c == nil {
		w.line("  # The server tells no configuration of it.")
		return
	}
	text := "does not batch"
	if c.MaxBatchSize > 0 {
		text = fmt.Sprintf("takes batches of up to %d", c.MaxBatchSize)
	}
	if c.Backend != "" {
		text = "backend " + comment(c.Backend) + ", " + text
	}
	w.line("  # %s", text)
	if c.Decoupled {
		w.line("  # decoupled: it gives any number of answers, over ModelStreamInfer or generate_stream")
	}
	if c.Ensemble {
		w.line("  # an ensemble: clients reach its models through it, without an entry of their own")
	}
}

func (w *writer) input(in codec.Spec, v Version) {
	text := describe(in)
	if v.Config != nil && v.Config.Formats[in.Name] != "" {
		text += " " + comment(v.Config.Formats[in.Name])
	}
	if in.Optional {
		text += ", optional"
	}
	all := kinds(in)
	switch i := slices.Index(all, "image"); {
	case i < 0 || !w.flat:
	case in.DataType == tensor.Bytes:
		all[i] = "image with encoding: base64"
	default: // whose bytes no JSON holds
		all = slices.Delete(all, i, i+1)
	}
	text += ": " + strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
	if guess := inputKind(in); guess != "" {
		text += "; by its name " + guess
	} else if order := layout(in); slices.Contains(all, "pixels") {
		text += "; by its shape pixels with layout: " + order
	}
	w.line("      %s: {kind: unconfirmed}  # %s", scalar(in.Name), text)
}

// outputs writes the outputs that have a kind, and checks for them that are off.
func (w *writer) outputs(v Version) {
	var checks []string
	heading, watchable := "    outputs:", false
	for _, out := range v.Outputs {
		labels := ""
		if v.Config != nil {
			labels = v.Config.LabelFiles[out.Name]
		}
		kind := outputKind(out, labels)
		text := describe(out)
		if labels != "" {
			text += "; labels: " + comment(labels) + " in the folder of the model"
		}
		if kind == "" {
			w.line("    # output %s: %s, goes to the client as it is", comment(out.Name), text)
			continue
		}
		if heading != "" {
			w.line("%s", heading)
			heading = ""
		}
		if kind == "probabilities" {
			text += "; if rows do not sum to 1: tensor"
			watchable = true
		}
		w.line("      %s: {kind: %s}  # %s", scalar(out.Name), kind, text)
		checks = append(checks, checksOf(out, kind, len(checks))...)
	}
	if len(checks) > 0 {
		w.line("    # checks:\n%s", strings.Join(checks, "\n"))
	}
	if watchable {
		w.line("    # drift: {baseline: FILE}  # of weir baseline record and weir baseline build")
	}
}

// checksOf are the checks that suit an output, as comments. Their names are
// numbered from n+1.
func checksOf(out codec.Spec, kind string, n int) (lines []string) {
	add := func(what, rest string) {
		n++
		lines = append(lines, fmt.Sprintf("    #   - {name: %s-%d, output: %s, %s}", what, n, value(out.Name), rest))
	}
	if kind == "probabilities" {
		least := strconv.FormatFloat(floor(out.Shape[len(out.Shape)-1]), 'f', 2, 64)
		add("unsure", "min_confidence: "+least+", action: flag")
	}
	if out.DataType.Float() {
		add("broken", "finite: true, action: block")
	}
	return lines
}

// describe is the datatype and the shape of a tensor.
func describe(s codec.Spec) string {
	sizes := make([]string, len(s.Shape))
	for i, n := range s.Shape {
		sizes[i] = strconv.FormatInt(n, 10)
	}
	return s.DataType.String() + " [" + strings.Join(sizes, ", ") + "]"
}

var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// words that YAML, of one version or another, reads as something else than text
// (YAML 1.1, types bool and null).
var words = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

// scalar is a text as a key of a YAML file: plain if all parsers agree that it is
// one, else in double quotes, with the escapes of JSON, which are YAML's, too.
func scalar(text string) string {
	if plain.MatchString(text) && !slices.Contains(words, strings.ToLower(text)) {
		return text
	}
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always encodes
	return strings.TrimSuffix(quoted.String(), "\n")
}

// value is a text as a value of the configuration, in which a dollar sign is
// written twice.
func value(text string) string { return scalar(strings.ReplaceAll(text, "$", "$$")) }

// maxComment bounds what of a text of the server's stands in a comment, in runes.
const maxComment = 200

// comment is a text of the server's on one line of a comment.
func comment(text string) string {
	runes := []rune(text)
	if len(runes) > maxComment {
		runes = append(runes[:maxComment], '…')
	}
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = ' '
		}
	}
	return string(runes)
}
