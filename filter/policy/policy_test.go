package policy

import (
	"testing"

	"weir/filter/codec"
	"weir/sanitize/tensor"
)

func TestMostSpecificPatternWins(t *testing.T) {
	p := New([]*Model{{Pattern: "*"}, {Pattern: "traffic-*"}, {Pattern: "traffic-sign"}, {Pattern: "traffic-s*"}})
	for name, want := range map[string]string{
		"traffic-sign": "traffic-sign", "traffic-sound": "traffic-s*", "traffic-light": "traffic-*", "other": "*",
	} {
		if got := p.Model(name); got == nil || got.Pattern != want {
			t.Errorf("Model(%q) = %v, want pattern %q", name, got, want)
		}
	}
	// What counts is what a pattern says, not how long it is.
	p = New([]*Model{{Pattern: "[abcdefghijklmnopqrstuvwxyz]*"}, {Pattern: "????????*"}, {Pattern: `s\*`}, {Pattern: "sign-*"}, {Pattern: "sign-?"}})
	for name, want := range map[string]string{
		"sign-stop": "sign-*", "sign-1": "sign-?", "song": "[abcdefghijklmnopqrstuvwxyz]*", "song-long": "????????*", "s*": `s\*`,
	} {
		if got := p.Model(name); got == nil || got.Pattern != want {
			t.Errorf("Model(%q) = %v, want pattern %q", name, got, want)
		}
	}
	if got := New([]*Model{{Pattern: "a"}}).Model("b"); got != nil {
		t.Errorf("a model that no pattern matches has rules: %v", got)
	}
}

func TestZeroValuesAreTheSafeOnes(t *testing.T) {
	var f Finding
	if v := Decide([]Finding{f}); v.Action != Block {
		t.Errorf("the zero finding gives %v, want block", v.Action)
	}
	var in Input
	if in.Carries(tensor.Bytes) || in.Carries(tensor.FP32) {
		t.Error("an undeclared input carries a tensor")
	}
}

func TestDecide(t *testing.T) {
	block := Finding{Reason: "r1", Action: Block}
	flag := Finding{Reason: "r2", Action: Flag}
	note := Finding{Action: Note}
	shadow := func(f Finding) Finding { f.Mode = Shadow; return f }
	off := func(f Finding) Finding { f.Mode = Off; return f }
	for name, tc := range map[string]struct {
		findings []Finding
		want     Verdict
	}{
		"nothing":                    {nil, Verdict{Action: Allow, Shadow: Allow}},
		"strictest acts":             {[]Finding{note, flag, block}, Verdict{Action: Block, Reason: "r1", Shadow: Allow}},
		"earliest of equals":         {[]Finding{{Reason: "a", Action: Flag}, {Reason: "b", Action: Flag}}, Verdict{Action: Flag, Reason: "a", Shadow: Allow}},
		"shadow does not act":        {[]Finding{shadow(block)}, Verdict{Action: Allow, Reason: "r1", Shadow: Block}},
		"shadow beside an enforced":  {[]Finding{flag, shadow(block)}, Verdict{Action: Flag, Reason: "r2", Shadow: Block}},
		"off is not there":           {[]Finding{off(block)}, Verdict{Action: Allow, Shadow: Allow}},
		"sanitised is not a refusal": {[]Finding{note}, Verdict{Action: Note, Shadow: Allow}},
	} {
		if got := Decide(tc.findings); got != tc.want {
			t.Errorf("%s: Decide = %+v, want %+v", name, got, tc.want)
		}
	}
}

func signature() *codec.Signature {
	return &codec.Signature{Model: "m", Version: "1", MaxBatchSize: 8,
		Inputs: []codec.Spec{
			{Name: "IMAGE", DataType: tensor.Bytes, Shape: []int64{-1, 1}},
			{Name: "EXTRA", DataType: tensor.FP32, Shape: []int64{-1, 2}, Optional: true}},
		Outputs: []codec.Spec{
			{Name: "SCORES", DataType: tensor.FP32, Shape: []int64{-1, 3}},
			{Name: "LABEL", DataType: tensor.Bytes, Shape: []int64{-1, 1}}}}
}

func TestPlanAsksForWhatIsChecked(t *testing.T) {
	m := &Model{Inputs: map[string]Input{"IMAGE": {Kind: Image}}, Checks: []Check{{Output: "SCORES", Finite: true}}}
	r := &codec.Request{Outputs: []codec.Output{{Name: "LABEL"}}, Inputs: []codec.Input{{Tensor: tensor.Tensor{Name: "IMAGE", Shape: []int64{3, 1}}}}}
	plan := m.Plan(r, signature())
	if plan.Batch != 3 {
		t.Errorf("a batch of %d, want 3", plan.Batch)
	}
	if len(plan.Outputs) != 2 || plan.Outputs[0] != "SCORES" || plan.Outputs[1] != "LABEL" {
		t.Errorf("outputs asked for: %v, want SCORES and LABEL", plan.Outputs)
	}
	m.Checks[0].Mode = Off
	if plan = m.Plan(r, signature()); len(plan.Outputs) != 1 {
		t.Errorf("outputs asked for with the check off: %v, want LABEL alone", plan.Outputs)
	}
	if plan = m.Plan(&codec.Request{}, signature()); len(plan.Outputs) != 0 {
		t.Errorf("outputs asked for when the client names none: %v, want none, which is all", plan.Outputs)
	}
}

func TestPlanDeniesWhatIsNotDeclared(t *testing.T) {
	m := &Model{Inputs: map[string]Input{"IMAGE": {Kind: Image}}, Parameters: []string{"priority"}}
	r := &codec.Request{
		Parameters: []codec.Parameter{{Name: "priority"}, {Name: "steer"}},
		Inputs:     []codec.Input{{Tensor: tensor.Tensor{Name: "IMAGE"}}, {Tensor: tensor.Tensor{Name: "EXTRA"}}}}
	plan := m.Plan(r, signature())
	if len(plan.Parts) != 1 || plan.Parts[0].Index != 0 {
		t.Errorf("parts = %+v, want IMAGE alone", plan.Parts)
	}
	if len(plan.Findings) != 2 || plan.Findings[0].Reason != InputUndeclared || plan.Findings[1].Part != "steer" {
		t.Errorf("findings = %+v, want EXTRA and steer", plan.Findings)
	}
	if v := Decide(plan.Findings); v.Action != Block {
		t.Errorf("verdict = %v, want block", v.Action)
	}
}

func TestFits(t *testing.T) {
	ok := func() *Model {
		return &Model{Inputs: map[string]Input{"IMAGE": {Kind: Image}},
			Outputs: map[string]Output{"SCORES": {Probabilities: true, Labels: []string{"a", "b", "c"}}}}
	}
	if err := ok().Fits(signature()); err != nil {
		t.Fatalf("Fits = %v, want nil", err)
	}
	for name, change := range map[string]func(*Model){
		"input of another name":   func(m *Model) { m.Inputs["OTHER"] = Input{Kind: Image} },
		"kind does not travel":    func(m *Model) { m.Inputs["IMAGE"] = Input{Kind: Tensor} },
		"needed input undeclared": func(m *Model) { delete(m.Inputs, "IMAGE") },
		"output of another name":  func(m *Model) { m.Outputs["OTHER"] = Output{} },
		"labels do not fit":       func(m *Model) { m.Outputs["SCORES"] = Output{Probabilities: true, Labels: []string{"a"}} },
		"no probabilities":        func(m *Model) { m.Outputs["LABEL"] = Output{Probabilities: true} },
	} {
		m := ok()
		change(m)
		if err := m.Fits(signature()); err == nil {
			t.Errorf("%s: Fits = nil, want an error", name)
		}
	}
}

// An image travels as rows of file bytes, too, and pixels in the layout that is said.
func TestFitsCarriers(t *testing.T) {
	spec := func(d tensor.DataType, shape ...int64) codec.Spec {
		return codec.Spec{Name: "I", DataType: d, Shape: shape}
	}
	pixels := func(layout string, change func(*Input)) Input {
		in := Input{Kind: Pixels}
		in.Pixels.Layout = layout
		if change != nil {
			change(&in)
		}
		return in
	}
	for name, tc := range map[string]struct {
		rule  Input
		spec  codec.Spec
		batch int
		fits  bool
	}{
		"files in elements":          {Input{Kind: Image}, spec(tensor.Bytes, -1, 1), 8, true},
		"one file":                   {Input{Kind: Image}, spec(tensor.Uint8, -1), 0, true},
		"rows of files":              {Input{Kind: Image}, spec(tensor.Uint8, -1, -1), 8, true},
		"rows of a fixed size":       {Input{Kind: Image}, spec(tensor.Uint8, 2, 4096), 0, true},
		"a batch of bytes":           {Input{Kind: Image}, spec(tensor.Uint8, -1), 8, false},
		"decoded pictures":           {Input{Kind: Image}, spec(tensor.Uint8, -1, 64, 64, 3), 8, false},
		"base64 in rows":             {Input{Kind: Image, Encoding: Base64}, spec(tensor.Uint8, -1), 0, false},
		"data: URIs in elements":     {Input{Kind: Image, Encoding: DataURI}, spec(tensor.Bytes, -1), 0, true},
		"files in INT8":              {Input{Kind: Image}, spec(tensor.Int8, -1), 0, false},
		"pixels":                     {pixels("NCHW", nil), spec(tensor.FP32, -1, 3, 32, 32), 8, true},
		"pixels without a batch":     {pixels("HWC", nil), spec(tensor.Uint8, 32, 32, 3), 0, true},
		"a batch that N does not":    {pixels("CHWN", nil), spec(tensor.FP32, -1, 3, 32, 32), 8, false},
		"no batch dimension":         {pixels("CHW", nil), spec(tensor.FP32, -1, 3, 32, 32), 8, false},
		"pixels of doubles":          {pixels("HW", nil), spec(tensor.FP64, 32, 32), 0, false},
		"another datatype":           {pixels("HW", func(in *Input) { in.Pixels.DataType = tensor.FP16 }), spec(tensor.FP32, 32, 32), 0, false},
		"another size":               {pixels("HW", func(in *Input) { in.Pixels.Shape = []int64{32, 31} }), spec(tensor.FP32, 32, 32), 0, false},
		"a size that is open":        {pixels("HW", func(in *Input) { in.Pixels.Shape = []int64{32, 31} }), spec(tensor.FP32, 32, -1), 0, true},
		"three means, one channel":   {pixels("CHW", func(in *Input) { in.Pixels.Mean = make([]float64, 3) }), spec(tensor.FP32, 1, 32, 32), 0, false},
		"three means, as it happens": {pixels("CHW", func(in *Input) { in.Pixels.Std = make([]float64, 3) }), spec(tensor.FP32, -1, 32, 32), 0, true},
	} {
		m := &Model{Inputs: map[string]Input{"I": tc.rule}}
		if err := m.Fits(&codec.Signature{MaxBatchSize: tc.batch, Inputs: []codec.Spec{tc.spec}}); (err == nil) != tc.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}
