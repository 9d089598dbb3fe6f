package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, path string) (*Config, Warnings) {
	t.Helper()
	c, warnings, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c, warnings
}

// TestReadmeConfig holds that the file of the README is enough.
func TestReadmeConfig(t *testing.T) {
	c, warnings := load(t, "testdata/good/readme.yaml")
	want := Default()
	want.Models = []Model{{
		Name:     "traffic-sign",
		Protocol: V2,
		Versions: []string{"1"},
		Mode:     Enforce,
		Inputs: map[string]Input{"IMAGE": {Kind: Image, Profile: Standard, Formats: []Format{JPEG, PNG},
			Orientation: Keep, Verify: VerifyDecode, Animation: RefuseAnimation, Encoding: Raw, MaxPixels: 40_000_000, MaxBytes: 25 << 20}},
		Outputs: map[string]Output{"SCORES": {Kind: Probabilities, Labels: c.Models[0].Outputs["SCORES"].Labels}},
		Checks: []Check{{Name: "low-confidence", Output: "SCORES", MinConfidence: 0.35,
			Action: Flag, Mode: Enforce}},
		Drift: Drift{Baseline: c.Models[0].Drift.Baseline, Output: "SCORES",
			MeanTimeBetweenFalseAlarms: Duration(30 * 24 * time.Hour), Tolerance: 0.02,
			Block: Duration(10 * time.Second), MinBlockRequests: 100},
	}}
	want.source = c.source
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got:\n%s\nwant:\n%s", c.Dump(), want.Dump())
	}
	const warning = "testdata/good/readme.yaml:5:37: models[0].inputs.IMAGE.profile: no keys.sanitize_file: " +
		"the key of this profile is random at each start, and differs between replicas"
	if warnings.String() != warning {
		t.Errorf("got warnings:\n%s", warnings)
	}
}

// TestFullConfig holds that every key reaches its field: full.yaml has each of
// them, and none at its default.
func TestFullConfig(t *testing.T) {
	c, _ := load(t, "testdata/good/full.yaml")
	var check func(path string, got, standard reflect.Value)
	check = func(path string, got, standard reflect.Value) {
		for _, f := range fieldsOf(got.Type()) {
			g, s := got.Field(f.index), standard.Field(f.index)
			at := join(path, f.name)
			if g.Kind() == reflect.Struct {
				check(at, g, s)
			} else if at != "models[0].protocol" && reflect.DeepEqual(g.Interface(), s.Interface()) {
				t.Errorf("%s has its default %v", at, g)
			}
		}
	}
	check("", reflect.ValueOf(*c), reflect.ValueOf(*Default()))
	m := c.Models[0]
	var model Model
	model.setDefaults()
	check("models[0]", reflect.ValueOf(m), reflect.ValueOf(model))
	low, high := -1.5, 1000.0
	for name, want := range map[string]Input{
		"IMAGE": {Kind: Image, Profile: Light, Formats: []Format{PNG}, Orientation: Drop, Verify: VerifyContainer,
			Animation: RefuseAnimation, ZeroTransparent: true, Encoding: Base64, MaxPixels: 500_000, MaxBytes: 1 << 20},
		"PHOTO": {Kind: Image, Profile: Custom, Steps: []Step{{Step: "crop", MinPercent: 3, MaxPercent: 8}, {Step: "shrink", Factor: 0.9},
			{Step: "shrink_pad", Percent: 5}, {Step: "median", Size: 3}, {Step: "gaussian", Sigma: 0.5}, {Step: "bits", Depth: 6},
			{Step: "jpeg", Quality: 90}, {Step: "border", Percent: 1.5}, {Step: "rotate", MaxDegrees: 2}},
			Formats: []Format{JPEG, PNG, WebP, GIF, TIFF, BMP}, Orientation: Keep, Verify: VerifyDecode, Animation: FirstFrame,
			Encoding: DataURI, MaxPixels: 1_000_000, MaxBytes: 2 << 20},
		"PIXELS": {Kind: Pixels, Profile: Strong, Layout: "NCHW", Datatype: "FP32", Shape: []int64{-1, 3, 224, 224}, White: 255,
			Mean: []float64{0.485, 0.456, 0.406}, Std: []float64{0.229, 0.224, 0.225}, MaxPixels: 300_000},
		"GREY":    {Kind: Pixels, Profile: Strip, Layout: "HW", MaxPixels: 1_000_000},
		"CAPTION": {Kind: Text, Profile: Strict, MaxBytes: 512},
		"MEAN":    {Kind: Tensor, Datatype: "FP32", Shape: []int64{-1, 3}, Min: &low, Max: &high, NotFinite: Allow},
		"raw:0":   {Kind: Opaque},
	} {
		if !reflect.DeepEqual(m.Inputs[name], want) {
			t.Errorf("%s: got %+v, want %+v", name, m.Inputs[name], want)
		}
	}
	wantChecks := []Check{
		{Name: "low-confidence", Output: "SCORES", MinConfidence: 0.35, Action: Flag, Mode: Off},
		{Name: "finite", Output: "FEATURES", Finite: true, Action: Block, Mode: Enforce}}
	if !slices.Equal(m.Checks, wantChecks) {
		t.Errorf("got %+v", m.Checks)
	}
	if !slices.Equal(m.Parameters, []string{"priority", "timeout$"}) {
		t.Errorf("got %q", m.Parameters)
	}
	if got := c.Models[2].Protocol; got != OpenAI {
		t.Errorf("protocol %s", got)
	}
	if got := c.Models[1].Mode; got != Shadow {
		t.Errorf("a model without a mode has %s, not that of defaults", got)
	}
}

func TestWarnings(t *testing.T) {
	for text, want := range map[string][]string{
		"log: {level: info}": {"1:1: models: no models: every inference is refused"},
		"upstream: {http: 'http://10.0.0.7:8000', grpc: 'triton:8001'}\nmodels: [{name: a, inputs: {A: {kind: text}}}]": {
			"1:18: upstream.http: the model server is not on a loopback address: clients that reach it pass Weir by",
			"1:48: upstream.grpc: the model server is not on a loopback address: clients that reach it pass Weir by"},
		"models: [{name: a, inputs: {A: {kind: text}}, outputs: {P: {kind: probabilities}, Q: {kind: probabilities}, R: {kind: tensor}}}]": {
			"1:10: models[0].drift.output: several outputs are of kind probabilities: none is watched or recorded until one is named"},
		"models: [{name: 'a*', inputs: {A: {kind: text}}, outputs: {P: {kind: probabilities}}}]": {
			"1:10: models[0].drift: no baseline: drift of the outputs is not detected"},
		"models: [{name: a, inputs: {A: {kind: text}}, outputs: {R: {kind: tensor}}}]": nil,
		"upstream: {dialect: v2-json, grpc: '127.0.0.1:8001'}\nmodels: [{name: a, inputs: {A: {kind: text}}}]": {
			"1:36: upstream.grpc: gRPC stays closed: it is let through to servers with upstream.dialect triton only"},
		"upstream: {dialect: v2-json, grpc: ''}\nmodels: [{name: a, inputs: {A: {kind: text}}}]": nil,
		"upstream: {dialect: v2-json}\nendpoints: [config]\nmodels: [{name: a, inputs: {A: {kind: text}}}]": {
			"2:12: endpoints: servers with upstream.dialect v2-json have none of these endpoints in a form that clients can reach"},
		"defaults: {mode: off}\nmodels: [{name: a, mode: shadow, drift: {tolerance: 0}, inputs: {A: {kind: opaque}}}]": {
			"1:18: defaults.mode: mode off: the rules of the file do not act",
			"2:26: models[0].mode: mode shadow: the rules of the model do not act",
			"2:41: models[0].drift: no output of kind probabilities: drift of the outputs is not detected",
			"2:76: models[0].inputs.A.kind: kind opaque: the input reaches the model as it is"},
	} {
		_, warnings, err := Parse("w", []byte(text), environment)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		var got []string
		for line := range strings.Lines(warnings.String()) {
			got = append(got, strings.TrimSuffix(strings.TrimPrefix(line, "w:"), "\n"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s\ngot:\n%s", text, warnings)
		}
	}
}

func TestDump(t *testing.T) {
	for _, path := range []string{"testdata/good/readme.yaml", "testdata/good/full.yaml"} {
		c, _ := load(t, path)
		again, _, err := Parse("/dump.yaml", c.Dump(), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Errorf("%s: the dump does not parse: %v", path, err)
			continue
		}
		again.source = c.source
		if !reflect.DeepEqual(again, c) {
			t.Errorf("%s: the dump reads as\n%s", path, again.Dump())
		}
	}
}

func TestDumpHoldsNoKey(t *testing.T) {
	c, _ := load(t, "testdata/good/full.yaml")
	key := c.Contents(c.Keys.SanitizeFile)
	if len(key) < minKeyBytes || strings.Contains(string(c.Dump()), string(key)) {
		t.Errorf("key of %d bytes", len(key))
	}
}

func TestDigest(t *testing.T) {
	folder := t.TempDir()
	text := "models: [{name: a, inputs: {A: {kind: text}}, outputs: {P: {kind: probabilities, labels: l}}}]\n"
	config, labels := write(t, folder, "weir.yaml", text), write(t, folder, "l", "a\nb\n")
	c, _ := load(t, config)
	first := c.Digest()
	write(t, folder, "weir.yaml", "# says the same\ndefaults: {mode: enforce}\n"+text)
	if c, _ = load(t, config); c.Digest() != first {
		t.Error("the digest depends on how the file is written")
	}
	write(t, folder, "l", "a\nc\n")
	if c, _ = load(t, config); c.Digest() == first || c.Sources()[labels] == "" {
		t.Error("the digest does not depend on a file that is referred to")
	}
	write(t, folder, "l", "a\nb\n")
	write(t, folder, "weir.yaml", text+"log: {level: debug}\n")
	if c, _ = load(t, config); c.Digest() == first {
		t.Error("the digest does not depend on a value")
	}
}

var documentedDefault = regexp.MustCompile(`(?s)(Default: (.+?)\.(\s|$)|Required\b)`)

// TestEveryFieldIsDocumented reads the sources: every key of the file has a
// comment, and that of a plain value names its default as it is in the code.
func TestEveryFieldIsDocumented(t *testing.T) {
	fields := 0
	for _, file := range []string{"config.go", "model.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			structure, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range structure.Fields.List {
				if f.Tag != nil {
					fields++
					checkComment(t, spec.Name.Name, f)
				}
			}
			return false
		})
	}
	if fields < 60 {
		t.Errorf("only %d fields were found", fields)
	}
}

func checkComment(t *testing.T, structure string, f *ast.Field) {
	t.Helper()
	name, comment := f.Names[0].Name, f.Doc.Text()
	if !strings.HasPrefix(comment, name+" ") {
		t.Errorf("%s.%s: the comment does not begin with its name", structure, name)
	}
	var model Model
	model.setDefaults()
	value := reflect.Value{}
	for _, v := range []any{*Default(), Default().Upstream, Default().Limits, Default().Telemetry, Default().Keys,
		Default().Log, Default().State, Default().Defaults, model, model.Drift, Input{}, Step{}, Output{}, Check{}} {
		if reflect.TypeOf(v).Name() == structure {
			value = reflect.ValueOf(v).FieldByName(name)
		}
	}
	if value.Kind() == reflect.Struct {
		return // a section: its fields have their own
	}
	found := documentedDefault.FindStringSubmatch(comment)
	if found == nil {
		t.Errorf("%s.%s: the comment names no default", structure, name)
		return
	}
	want := Default().render(value)
	if found[2] == "empty" {
		found[2] = "none"
	}
	if !value.IsZero() && found[2] != want {
		t.Errorf("%s.%s: the comment says %q, the default is %q", structure, name, found[2], want)
	}
}

func TestEnumNames(t *testing.T) {
	for _, e := range []enum{Mode(""), Dialect(""), Protocol(""), Endpoint(""), Level(""), InputKind(""), Profile(""), StepName(""), Format(""),
		Orientation(""), Verify(""), Animation(""), Encoding(""), Datatype(""), NotFinite(""), OutputKind(""), Action("")} {
		names := e.names()
		if len(names) == 0 || slices.Contains(names, "") || len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
			t.Errorf("%T has names %q", e, names)
		}
	}
	if got := len(Datatype("").names()); got != 14 {
		t.Errorf("%d datatypes; KServe V2 and Triton have 14", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, path := range []string{"testdata/good/readme.yaml", "testdata/good/full.yaml", "testdata/bad/models.yaml",
		"testdata/bad/yaml_features.yaml", "testdata/bad/environment.yaml", "testdata/bad/wrong_types.yaml"} {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("keys: {sanitize_file: '$$a/../b', epoch: 1d1h}\nstate: {dir: './//x'}\nmodels: [{name: '0x1', inputs: {'a$b.c[\"': {kind: opaque}}}]"))
	f.Add([]byte("a: &a [*a, *a]\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, warnings, err := Parse("weir.yaml", data, environment)
		for _, w := range warnings {
			inFile(t, data, w)
		}
		if err != nil {
			for _, issue := range err.(Errors) {
				inFile(t, data, issue)
			}
			return
		}
		dump := c.Dump()
		again, _, err := Parse("weir.yaml", dump, func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatalf("the dump does not parse: %v\n%s", err, dump)
		}
		if string(again.Dump()) != string(dump) || len(Diff(c, again)) != 0 {
			t.Fatalf("the dump reads as another configuration: %v\n%s", Diff(c, again), dump)
		}
	})
}

// inFile checks that an issue is at a place that the file has.
func inFile(t *testing.T, data []byte, i Issue) {
	t.Helper()
	if lines := strings.Count(string(data), "\n") + 1; i.Line < 1 || i.Column < 1 || i.Line > lines+1 || i.Message == "" {
		t.Fatalf("%s: not in a file of %d lines", i, lines)
	}
}
