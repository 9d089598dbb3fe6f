package upstream

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"time"

	"weir/filter/codec"
)

// SourceCloser is a Source that holds connections.
type SourceCloser interface {
	Source
	Close()
}

// JSON reads from a server of the V2 protocol that has none of Triton's extensions,
// such as MLServer or KServe's Python server. It is safe for concurrent use.
type JSON struct{ *Client }

// NewJSON returns a client as NewClient does.
func NewJSON(base string, timeout time.Duration) JSON { return JSON{NewClient(base, timeout)} }

// Signature reads the signature of a model, of the version that the server chooses
// if version is "", and checks that it is ready. Metadata does not say which inputs a
// request may leave out, so that is left to the server; nothing is said to batch.
func (c JSON) Signature(ctx context.Context, model, version string) (*codec.Signature, error) {
	at := "/v2/models/" + url.PathEscape(model)
	if version != "" {
		at += "/versions/" + url.PathEscape(version)
	}
	if _, err := c.call(ctx, http.MethodGet, at+"/ready"); err != nil {
		return nil, fmt.Errorf("not ready: %w", err)
	}
	metadata, err := c.metadata(ctx, at)
	if err != nil {
		return nil, err
	}
	for i := range metadata.Inputs {
		metadata.Inputs[i].Optional = true
	}
	return &codec.Signature{Model: model, Version: version, Lenient: true,
		Inputs: metadata.Inputs, Outputs: metadata.Outputs}, nil
}

// Versions returns "", the server's own choice: KServe has no versions, and those in
// MLServer's metadata are of the libraries that a model was trained with.
func (c JSON) Versions(context.Context, string) ([]string, error) { return []string{""}, nil }

// Models lists the names of the server's models that match a glob.
func (c JSON) Models(ctx context.Context, glob string) ([]string, error) {
	list, err := c.List(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, m := range list {
		if ok, err := path.Match(glob, m.Name); err == nil && ok {
			names = append(names, m.Name)
		}
	}
	return slices.Compact(names), nil // MLServer lists a model once for each version
}
