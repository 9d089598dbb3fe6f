package upstream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"weir/filter/codec"
	"weir/filter/codec/upload"
	"weir/filter/policy"
)

// Upload stands for a server that takes files as bodies. It says nothing of its models,
// so that their signatures are what the policy declares; they are ready when the server
// takes connections. It is safe for concurrent use.
type Upload struct {
	address string
	policy  *policy.Policy
	timeout time.Duration
}

// NewUpload returns the source for a server at this host:port. Every call ends within
// timeout.
func NewUpload(address string, p *policy.Policy, timeout time.Duration) *Upload {
	return &Upload{address, p, timeout}
}

// Signature is that of the inputs that the policy declares; version is "".
func (u *Upload) Signature(ctx context.Context, model, version string) (*codec.Signature, error) {
	m := u.policy.Model(model)
	if version != "" || m == nil {
		return nil, errors.New("models of protocol upload have no versions")
	}
	conn, err := (&net.Dialer{Timeout: u.timeout}).DialContext(ctx, "tcp", u.address)
	if err != nil {
		return nil, fmt.Errorf("the server takes no connections: %w", err)
	}
	_ = conn.Close()
	var files, texts []string
	for _, name := range slices.Sorted(maps.Keys(m.Inputs)) {
		if m.Inputs[name].Kind == policy.Text {
			texts = append(texts, name)
		} else {
			files = append(files, name)
		}
	}
	return upload.Signature(model, files, texts), nil
}

// Versions returns "", the one version of a model.
func (u *Upload) Versions(context.Context, string) ([]string, error) { return []string{""}, nil }

// Models fails: such a server has no list of models.
func (u *Upload) Models(context.Context, string) ([]string, error) {
	return nil, errors.New("a server of protocol upload lists no models")
}
