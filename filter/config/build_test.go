package config

import (
	"bytes"
	"strings"
	"testing"

	"weir/filter/codec"
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
