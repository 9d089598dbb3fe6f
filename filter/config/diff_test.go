package config

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	data, err := os.ReadFile("testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	old, _, err := Parse("weir.yaml", data, environment)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		edits   []string // pairs: from, to
		want    []string
		restart []string
	}{
		{name: "nothing"},
		{name: "a comment", edits: []string{"# Every key", "# Each key"}},
		{name: "a threshold", edits: []string{"0.35", "0.5"},
			want: []string{"models[traffic-sign].checks[low-confidence].min_confidence: 0.35 → 0.5"}},
		{name: "removed options", edits: []string{", min: -1.5", "", ", \"12\"]", "]"},
			want: []string{
				`models[traffic-sign].versions: [1, 12] → [1]`,
				"models[traffic-sign].inputs.MEAN.min: -1.5 → none"}},
		{name: "endpoints", edits: []string{"[config, repository_index]", "[statistics]"},
			want: []string{"endpoints: [config, repository_index] → [statistics]"}},
		{name: "an output and a model", edits: []string{"NAME:", "TITLE:", "echo-*", "mirror-*"},
			want: []string{
				"models[traffic-sign].outputs.NAME: removed",
				"models[traffic-sign].outputs.TITLE: added",
				"models[echo-*]: removed",
				"models[mirror-*]: added"}},
		{name: "mode of the file", edits: []string{"{mode: shadow}", "{mode: enforce}"},
			want: []string{"defaults.mode: shadow → enforce", "models[echo-*].mode: shadow → enforce", "models[resnet-18].mode: shadow → enforce"}},
		{name: "what only a restart changes",
			edits: []string{"weir.sock", "other.sock", ":19464", ":19466", ":19465", ":19467", "8001", "8002", ":4317", ":4318",
				"16MiB", "32MiB", "90MB", "91MB", "in_flight: 90", "in_flight: 91", "sample_ratio: 1, trust_client: true", "sample_ratio: 0.5"},
			want: []string{
				"listen: unix:///run/weir/weir.sock → unix:///run/weir/other.sock",
				"public: 0.0.0.0:19464 → 0.0.0.0:19466",
				"control: [::1]:19465 → [::1]:19467",
				"upstream.grpc: 127.0.0.1:18001 → 127.0.0.1:18002",
				"limits.max_body_bytes: 16MiB → 32MiB",
				"limits.max_image_decoded_bytes: 90000000 → 91000000",
				"limits.max_streams_in_flight: 90 → 91",
				"telemetry.otlp_endpoint: http://127.0.0.1:4317 → http://127.0.0.1:4318",
				"telemetry.sample_ratio: 1 → 0.5", "telemetry.trust_client: true → false"},
			restart: []string{"listen", "public", "control", "upstream.grpc", "limits.max_body_bytes",
				"limits.max_image_decoded_bytes", "limits.max_streams_in_flight", "telemetry.otlp_endpoint"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := string(data)
			for i := 0; i < len(test.edits); i += 2 {
				if !strings.Contains(text, test.edits[i]) {
					t.Fatalf("%q is not in the file", test.edits[i])
				}
				text = strings.Replace(text, test.edits[i], test.edits[i+1], 1)
			}
			new, _, err := Parse("weir.yaml", []byte(text), environment)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, change := range Diff(old, new) {
				got = append(got, change.String())
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
			if got := NeedsRestart(old, new); !slices.Equal(got, test.restart) {
				t.Errorf("needs restart: got %q, want %q", got, test.restart)
			}
		})
	}
}

func TestDiffOfReferencedFile(t *testing.T) {
	folder := t.TempDir()
	config := write(t, folder, "weir.yaml", "keys: {sanitize_file: key}\n")
	key := write(t, folder, "key", strings.Repeat("a", 32))
	old, _ := load(t, config)
	write(t, folder, "key", strings.Repeat("b", 32))
	new, _ := load(t, config)
	changes := Diff(old, new)
	if len(changes) != 1 || changes[0].Path != "keys.sanitize_file" || !strings.HasPrefix(changes[0].Old, key+" (sha256 ") {
		t.Errorf("got %v", changes)
	}
}
