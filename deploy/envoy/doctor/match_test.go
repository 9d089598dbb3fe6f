package doctor

import "testing"

func TestMatches(t *testing.T) {
	infer := sample{"/v2/models/m/infer", "application/json"}
	call := sample{"/inference.GRPCInferenceService/ModelInfer", "application/grpc"}
	for _, test := range []struct {
		match  string
		sample sample
		want   answer
	}{
		{"{prefix: /}", infer, yes},
		{"{prefix: /v2/}", call, no},
		{"{prefix: /V2/}", infer, no},
		{"{prefix: /V2/, case_sensitive: false}", infer, yes},
		{"{path: /v2/models/m/infer}", infer, yes},
		{"{path: /v2/models/m}", infer, no},
		{"{path: /V2/MODELS/M/INFER, case_sensitive: false}", infer, yes},
		{"{path_separated_prefix: /v2/models/m}", infer, yes},
		{"{path_separated_prefix: /v2/models/m/inf}", infer, no},
		{"{safe_regex: {regex: /v2/models/.*}}", infer, yes},
		{"{safe_regex: {regex: /v2/models/}}", infer, no}, // of the whole path
		{"{safe_regex: {regex: '('}}", infer, maybe},
		{"{connect_matcher: {}}", infer, no},
		{"{path_match_policy: {name: x}}", infer, maybe},
		{"{}", infer, maybe},
		{"{prefix: /, grpc: {}}", call, yes},
		{"{prefix: /, grpc: {}}", infer, no},
		{"{prefix: /, runtime_fraction: {default_value: {numerator: 1}}}", infer, maybe},
		{"{prefix: /x, query_parameters: [{name: a}]}", infer, no},
		{"{prefix: /, query_parameters: [{name: a}]}", infer, maybe},
		{"{prefix: /, headers: [{name: x-a, exact_match: b}]}", infer, maybe},
		{"{prefix: /, headers: [{name: ':method', string_match: {exact: POST}}]}", infer, yes},
		{"{prefix: /, headers: [{name: ':method', exact_match: GET}]}", infer, no},
		{"{prefix: /, headers: [{name: content-type, string_match: {prefix: application/grpc}}]}", call, yes},
		{"{prefix: /, headers: [{name: Content-Type, prefix_match: application/grpc}]}", infer, no},
		{"{prefix: /, headers: [{name: content-type, prefix_match: application/grpc, invert_match: true}]}", infer, yes},
		{"{prefix: /, headers: [{name: content-type, string_match: {suffix: json}}]}", infer, yes},
		{"{prefix: /, headers: [{name: content-type, contains_match: grpc}]}", call, yes},
		{"{prefix: /, headers: [{name: content-type, string_match: {exact: APPLICATION/JSON, ignore_case: true}}]}", infer, maybe},
		{"{prefix: /, headers: [{name: content-type, range_match: {start: 1}}]}", infer, maybe},
	} {
		match, err := read([]byte(test.match))
		if err != nil {
			t.Fatal(err)
		}
		if got := test.sample.matches(match); got != test.want {
			t.Errorf("%s %s: %d, want %d", test.match, test.sample.path, got, test.want)
		}
	}
}

func TestValues(t *testing.T) {
	n, err := read([]byte("yes: yes\nno: No\nword: maybe\nnumber: 64\ntext: \"7\"\nlarge: 1e30\nodd: x\nwait: 1.5s\nempty:\ncamelCase: 1\nlist: [true]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"yes": true, "no": false, "word": true, "empty": false, "gone": false, "list": true} {
		if got := n.get(name).isTrue(); got != want {
			t.Errorf("%s is true: %t", name, got)
		}
	}
	if !n.get("no").isFalse() || n.get("gone").isFalse() || n.get("yes").isFalse() {
		t.Error("false is not false")
	}
	for name, want := range map[string]int64{"number": 64, "text": 7, "large": 1<<32 - 1, "odd": 3, "gone": 3} {
		if got := n.get(name).number(3); got != want {
			t.Errorf("%s = %d, want %d", name, got, want)
		}
	}
	if d := n.get("wait").duration(0); d.Milliseconds() != 1500 {
		t.Errorf("wait = %v", d)
	}
	if got := n.get("camel_case").string(); got != "1" {
		t.Errorf("camel_case = %q", got)
	}
	if got := n.get("camel_case").enum("A", "B"); got != "B" {
		t.Errorf("enum = %q", got)
	}
}
