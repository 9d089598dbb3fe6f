// Package upstream is the only client of the model server. It reads what the
// server says of its models and keeps it beside what the policy expects; a model
// that was not read, or that differs, has no signature and gets no requests.
package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"weir/filter/codec"
	"weir/filter/codec/kserve"
)

// maxDescription bounds what the server may say of one model, in bytes.
const maxDescription = 4 << 20

// Client asks a server of the KServe V2 protocol over HTTP about its models. It
// is safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// NewClient returns a client of the server at base, such as "http://127.0.0.1:8000".
// Every call ends within timeout.
func NewClient(base string, timeout time.Duration) *Client {
	transport := &http.Transport{MaxIdleConns: 2, IdleConnTimeout: 30 * time.Second, DisableCompression: true}
	refuse := func(*http.Request, []*http.Request) error { return errors.New("the server redirects") }
	return &Client{base: strings.TrimSuffix(base, "/"),
		http: &http.Client{Timeout: timeout, Transport: transport, CheckRedirect: refuse}}
}

// Close drops the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Signature reads the signature of one model version and checks that it is ready.
func (c *Client) Signature(ctx context.Context, model, version string) (*codec.Signature, error) {
	at := "/v2/models/" + url.PathEscape(model) + "/versions/" + url.PathEscape(version)
	if _, err := c.call(ctx, http.MethodGet, at+"/ready"); err != nil {
		return nil, fmt.Errorf("not ready: %w", err)
	}
	d, err := c.Describe(ctx, model, version)
	switch {
	case err != nil:
		return nil, err
	case d.Config == nil:
		return nil, errors.New("config: the server tells none")
	}
	return &codec.Signature{Model: model, Version: version, MaxBatchSize: d.Config.MaxBatchSize,
		Decoupled: d.Config.Decoupled, Inputs: d.Inputs, Outputs: d.Outputs}, nil
}

// Versions lists the versions that the server has of a model.
func (c *Client) Versions(ctx context.Context, model string) ([]string, error) {
	metadata, err := c.metadata(ctx, "/v2/models/"+url.PathEscape(model))
	if err != nil {
		return nil, err
	}
	return metadata.Versions, nil
}

func (c *Client) metadata(ctx context.Context, at string) (kserve.Metadata, error) {
	body, err := c.call(ctx, http.MethodGet, at)
	if err != nil {
		return kserve.Metadata{}, fmt.Errorf("metadata: %w", err)
	}
	metadata, err := kserve.ParseMetadata(body)
	if err != nil {
		return kserve.Metadata{}, fmt.Errorf("metadata: %w", err)
	}
	return metadata, nil
}

// Models lists the names of the server's models that match a glob.
func (c *Client) Models(ctx context.Context, glob string) ([]string, error) {
	body, err := c.call(ctx, http.MethodPost, "/v2/repository/index")
	if err != nil {
		return nil, fmt.Errorf("repository index: %w", err)
	}
	var index []struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(body, &index); err != nil {
		return nil, fmt.Errorf("repository index: %w", err)
	}
	var names []string
	for _, m := range index {
		if ok, err := path.Match(glob, m.Name); err == nil && ok {
			names = append(names, m.Name)
		}
	}
	return names, nil
}

// call sends a request, by POST with an empty JSON object, which MLServer insists on.
func (c *Client) call(ctx context.Context, method, at string) ([]byte, error) {
	var object io.Reader
	if method == http.MethodPost {
		object = strings.NewReader("{}")
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+at, object)
	if err != nil {
		return nil, err
	}
	if object != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDescription+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxDescription:
		return nil, errors.New("the server's answer is too large")
	case response.StatusCode != http.StatusOK:
		return nil, statusError(response.StatusCode)
	}
	return body, nil
}

// statusError is the HTTP status of an answer that is an error.
type statusError int

func (e statusError) Error() string { return "status " + strconv.Itoa(int(e)) }
