package config

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize"
	"weir/sanitize/tensor"
)

// build compiles a configuration of one model and what stands before it.
func build(t *testing.T, text string) *Built {
	t.Helper()
	c, _, err := Parse("weir.yaml", []byte(text+"\nmodels: [{name: a, inputs: {A: {kind: text}}}]"), environment)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Build(bytes.Repeat([]byte("k"), minKeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What tells of the server's insides is open only if the file says so.
func TestEndpoints(t *testing.T) {
	operations := map[Endpoint]codec.Operation{ModelConfig: codec.ModelConfig, ModelStatistics: codec.ModelStatistics,
		RepositoryIndex: codec.RepositoryIndex}
	names := Endpoint("").names()
	if len(names) != len(operations) {
		t.Fatalf("%d endpoints have names", len(names))
	}
	for _, text := range []string{"", "endpoints: [config]", "endpoints: [statistics]", "endpoints: [repository_index]",
		"endpoints: [statistics, repository_index]", "endpoints: [config, statistics, repository_index]"} {
		policy := build(t, text).Policy
		for endpoint, operation := range operations {
			if got, want := policy.Opens(operation), strings.Contains(text, string(endpoint)); got != want {
				t.Errorf("%q opens %s: %t", text, endpoint, got)
			}
		}
		for _, operation := range []codec.Operation{codec.Infer, codec.ServerReady, codec.ModelMetadata} {
			if !policy.Opens(operation) {
				t.Errorf("%q closes %s", text, operation)
			}
		}
		if policy.Opens(codec.Deny) || policy.Opens(Endpoint("x").operation()) {
			t.Errorf("%q opens what is denied", text)
		}
	}
}

// gRPC is let through only to a server that is said to speak it as Triton does.
func TestGRPCCodec(t *testing.T) {
	for text, want := range map[string]bool{"": true, "upstream: {grpc: 'localhost:9001'}": true, "upstream: {grpc: ''}": false,
		"upstream: {dialect: v2-json}": false, "upstream: {dialect: v2-json, grpc: 'localhost:9001'}": false} {
		if _, got := build(t, text).Codecs[codec.KServeGRPC]; got != want {
			t.Errorf("%q lets gRPC through: %t", text, got)
		}
	}
}

// Every option of an input reaches the verb that it is for.
func TestInputsAreBuilt(t *testing.T) {
	c, _, err := Load("testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c.Models[0].Drift = Drift{} // whose baseline is a stand-in
	b, err := c.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	inputs := b.Policy.Model("traffic-sign").Inputs
	image, photo, pixels := inputs["IMAGE"], inputs["PHOTO"], inputs["PIXELS"]
	if o := image.Image; image.Kind != policy.Image || image.Encoding != policy.Base64 || o.Profile != sanitize.ProfileLight ||
		!slices.Equal(o.Formats, []string{"png"}) || o.Orientation != sanitize.OrientationDrop || o.Verify != sanitize.VerifyContainer ||
		!o.ZeroTransparent || o.Key == nil || o.Memory == nil {
		t.Errorf("%+v", image)
	}
	want := sanitize.ImageLimits{MaxBytes: 1 << 20, MaxPixels: 500_000, MaxSide: 2048, MaxSegments: 40, MaxMetadataBytes: 300_000,
		MaxScans: 20, MaxFrames: 30, MaxExpansion: 200, MaxDecodedBytes: 90_000_000}
	if image.Image.Limits != want {
		t.Errorf("limits %+v, want %+v", image.Image.Limits, want)
	}
	if o := photo.Image; photo.Encoding != policy.DataURI || o.Animation != sanitize.AnimationFirst || len(o.Steps) != 9 ||
		o.Steps[0] != (sanitize.Step{Op: sanitize.StepCrop, MinPercent: 3, MaxPercent: 8}) || o.Steps[8].MaxDegrees != 2 {
		t.Errorf("%+v", photo)
	}
	if o := pixels.Pixels; pixels.Kind != policy.Pixels || o.Layout != "NCHW" || o.DataType != tensor.FP32 || o.White != 255 ||
		o.Mean[0] != 0.485 || o.Std[2] != 0.225 || o.Profile != sanitize.ProfileStrong || o.MaxPixels != 300_000 || o.Key == nil ||
		!slices.Equal(o.Shape, []int64{-1, 3, 224, 224}) {
		t.Errorf("%+v", pixels)
	}
}

// A reload does not double the memory that images may need: those of exchanges that
// began before it take theirs from the same.
func TestImagesShareMemoryThroughReloads(t *testing.T) {
	const text = "models: [{name: a, inputs: {I: {kind: image}}}, {name: b, inputs: {I: {kind: image}}}]"
	var configs [2]*Config
	seen := map[*sanitize.Memory]bool{}
	for i := range configs {
		c, _, err := Parse("weir.yaml", []byte(text), environment)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			c.Inherit(configs[0])
		}
		b, err := c.Build(bytes.Repeat([]byte("k"), minKeyBytes))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range b.Policy.Models() {
			seen[m.Inputs["I"].Image.Memory] = true
		}
		configs[i] = c
	}
	if len(seen) != 1 || seen[nil] {
		t.Errorf("images take from %d memories", len(seen))
	}
}
