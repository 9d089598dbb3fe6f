package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"time"

	"weir/filter/codec"
	"weir/filter/codec/openai"
)

// OpenAI asks a server of the OpenAI API about its models. It is safe for
// concurrent use.
type OpenAI struct{ client *Client }

// NewOpenAI returns a client of the server whose endpoints are at base, such as
// "http://127.0.0.1:9000/openai" for /openai/v1/models. Every call ends within timeout.
func NewOpenAI(base string, timeout time.Duration) *OpenAI { return &OpenAI{NewClient(base, timeout)} }

// Close drops the idle connections.
func (o *OpenAI) Close() { o.client.Close() }

// Signature is the one of all models of such servers; version is "".
func (o *OpenAI) Signature(_ context.Context, model, version string) (*codec.Signature, error) {
	if version != "" {
		return nil, errors.New("models of the OpenAI API have no versions")
	}
	return openai.Signature(model), nil
}

// Versions returns "", the one version of a model that the server lists.
func (o *OpenAI) Versions(ctx context.Context, model string) ([]string, error) {
	names, err := o.list(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, model) {
		return nil, errNoModel
	}
	return []string{""}, nil
}

// Models lists the names of the server's models that match a glob.
func (o *OpenAI) Models(ctx context.Context, glob string) ([]string, error) {
	names, err := o.list(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool {
		ok, err := path.Match(glob, name)
		return err != nil || !ok
	}), nil
}

// list returns the names of all models that a request can name.
func (o *OpenAI) list(ctx context.Context) ([]string, error) {
	body, err := o.client.call(ctx, http.MethodGet, "/v1/models")
	if err != nil {
		return nil, fmt.Errorf("list of models: %w", err)
	}
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("list of models: %w", err)
	}
	var names []string
	for _, m := range list.Data {
		if openai.ValidModel(m.ID) {
			names = append(names, m.ID)
		}
	}
	return names, nil
}
