package upstream

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"weir/filter/codec/kserve"
)

// Server is what a server says of itself.
type Server struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	Extensions []string `json:"extensions"` // of the protocol: "binary_tensor_data"
}

// Server reads what the server says of itself.
func (c *Client) Server(ctx context.Context) (Server, error) {
	body, err := c.call(ctx, http.MethodGet, "/v2")
	if err != nil {
		return Server{}, fmt.Errorf("server metadata: %w", err)
	}
	var s Server
	if err := json.Unmarshal(body, &s); err != nil {
		return Server{}, fmt.Errorf("server metadata: %w", err)
	}
	return s, nil
}

// Listed is one line of a server's list of models: a version, or a model of which
// the server names none.
type Listed struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	State   string `json:"state"`  // "READY", "UNAVAILABLE"; "" where the server names none
	Reason  string `json:"reason"` // for the state
}

// List lists what the server serves, by name: from the repository index or, of a
// server that has none, from the list of models that KServe has instead.
func (c *Client) List(ctx context.Context) ([]Listed, error) {
	body, err := c.call(ctx, http.MethodPost, "/v2/repository/index")
	var list []Listed
	switch {
	case err == nil:
		err = json.Unmarshal(body, &list)
	case refused(err):
		list, err = c.listNames(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("list of models: %w", err)
	}
	slices.SortStableFunc(list, func(a, b Listed) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

func (c *Client) listNames(ctx context.Context) ([]Listed, error) {
	body, err := c.call(ctx, http.MethodGet, "/v2/models")
	if err != nil {
		return nil, err
	}
	var names struct {
		Models []string `json:"models"`
	}
	err = json.Unmarshal(body, &names)
	list := make([]Listed, len(names.Models))
	for i, name := range names.Models {
		list[i].Name = name
	}
	return list, err
}

// Description is what a server says of a model, or of one version of it.
type Description struct {
	kserve.Metadata
	Config *kserve.ModelConfig // nil of a server that tells none
}

// Describe reads what the server says of a version of a model; of one without
// versions if version is "".
func (c *Client) Describe(ctx context.Context, model, version string) (Description, error) {
	at := "/v2/models/" + url.PathEscape(model)
	if version != "" {
		at += "/versions/" + url.PathEscape(version)
	}
	metadata, err := c.metadata(ctx, at)
	if err != nil {
		return Description{}, err
	}
	body, err := c.call(ctx, http.MethodGet, at+"/config")
	if refused(err) {
		return Description{Metadata: metadata}, nil
	}
	if err != nil {
		return Description{}, fmt.Errorf("config: %w", err)
	}
	config, err := kserve.ParseConfig(body)
	if err != nil {
		return Description{}, err
	}
	for i := range metadata.Inputs {
		metadata.Inputs[i].Optional = slices.Contains(config.OptionalInputs, metadata.Inputs[i].Name)
	}
	return Description{Metadata: metadata, Config: &config}, nil
}

// refused reports whether the server has answered, with an error.
func refused(err error) bool {
	var status statusError
	return errors.As(err, &status)
}
