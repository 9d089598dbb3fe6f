package upstream

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize/tensor"
)

// The signature of a model that takes files is what the policy says, once its server
// takes connections.
func TestUploadModels(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	m := &policy.Model{Pattern: "cats", Protocol: codec.Upload, Inputs: map[string]policy.Input{
		"note": {Kind: policy.Text}, "right": {Kind: policy.Image}, "left": {Kind: policy.Opaque}}}
	p := policy.New([]*policy.Model{m})
	r := NewRegistry(Sources{Upload: NewUpload(address, p, time.Minute)}, p, slog.New(slog.DiscardHandler))
	r.refresh(context.Background())
	s, err := r.Lookup("cats", "")
	if err != nil || !r.Ready() {
		t.Fatal(err)
	}
	want := []codec.Spec{{Name: "left", DataType: tensor.Uint8, Shape: []int64{-1}}, {Name: "right", DataType: tensor.Uint8, Shape: []int64{-1}},
		{Name: "note", DataType: tensor.Bytes, Shape: []int64{1}, Optional: true}}
	if !s.Equal(&codec.Signature{Model: "cats", Inputs: want}) || s.Version != "" {
		t.Errorf("%+v", s)
	}
	if _, err := r.Lookup("cats", "1"); err == nil {
		t.Error("there is a version 1")
	}
	_ = listener.Close()
	r = NewRegistry(Sources{Upload: NewUpload(address, p, time.Minute)}, p, slog.New(slog.DiscardHandler))
	r.refresh(context.Background())
	if states := r.States(); r.Ready() || !slices.ContainsFunc(states, func(s State) bool { return strings.Contains(s.Reason, "takes no connections") }) {
		t.Errorf("a server that is not there: %+v", states)
	}
}
