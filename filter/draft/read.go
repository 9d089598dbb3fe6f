// Package draft writes a first policy from what a model server says of its models.
// A draft is not valid: every input has the kind "unconfirmed", which no Weir
// serves, until a person has written what the input holds.
package draft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"

	"weir/filter/policy"
	"weir/filter/upstream"
)

// Server is a model server as a draft describes it.
type Server struct {
	upstream.Server
	HTTP   string // URL of its HTTP endpoint
	GRPC   string // host:port of its gRPC endpoint, "" for none
	Models []Model
}

// Model is a model with its versions, the newest first. One of which the server
// tells nothing has a Problem instead.
type Model struct {
	Name     string
	Versions []Version
	Problem  string
}

// Version is one version of a model; its number is "" on servers without versions.
type Version struct {
	Number string
	upstream.Description
}

// Read asks a server about itself and about its models whose names match a glob.
// It fails if the server is not there, does not list its models, or goes away.
func Read(ctx context.Context, c *upstream.Client, glob string) (Server, error) {
	about, err := c.Server(ctx)
	if err != nil {
		return Server{}, err
	}
	s := Server{Server: about}
	list, err := c.List(ctx)
	if err != nil && !gone(err) && !policy.IsGlob(glob) { // a name needs no list
		list, err = []upstream.Listed{{Name: glob}}, nil
	}
	if err != nil {
		return Server{}, err
	}
	for i, l := range list {
		if matches, err := path.Match(glob, l.Name); err != nil || !matches || i > 0 && list[i-1].Name == l.Name {
			continue
		}
		m, err := s.readModel(ctx, c, l.Name)
		if err != nil {
			return Server{}, fmt.Errorf("model %q: %w", l.Name, err)
		}
		if m.Problem != "" && l.State != "READY" {
			m.Problem = "not ready: " + cmp.Or(l.Reason, l.State, m.Problem)
		}
		s.Models = append(s.Models, m)
	}
	return s, nil
}

// Exposed reports whether the server listens where others than this machine may
// reach it.
func (s Server) Exposed() bool {
	u, err := url.Parse(s.HTTP)
	if err != nil {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() != "localhost" && (err != nil || !ip.Unmap().IsLoopback())
}

// flat reports whether the server takes tensors in JSON only, as the servers do
// that have none of Triton's extensions.
func (s Server) flat() bool { return !slices.Contains(s.Extensions, "binary_tensor_data") }

// readModel reads what the server says of all versions of a model. Of servers without
// Triton's extensions there is one: KServe has no versions, and those in MLServer's
// metadata are of the libraries that a model was trained with.
func (s Server) readModel(ctx context.Context, c *upstream.Client, name string) (Model, error) {
	m := Model{Name: name}
	whole, err := c.Describe(ctx, name, "")
	if err != nil {
		return m.fail(err)
	}
	if len(whole.Versions) == 0 || s.flat() {
		m.Versions = []Version{{Description: whole}}
		return m, nil
	}
	numbers := slices.Clone(whole.Versions)
	slices.SortFunc(numbers, func(a, b string) int { return compareVersions(b, a) })
	for _, number := range numbers {
		d, err := c.Describe(ctx, name, number)
		if err != nil {
			return m.fail(err)
		}
		m.Versions = append(m.Versions, Version{number, d})
	}
	return m, nil
}

// fail notes what the server's answer about a model says or lacks; only that it
// does not answer is an error of the whole.
func (m Model) fail(err error) (Model, error) {
	if gone(err) {
		return Model{}, err
	}
	return Model{Name: m.Name, Problem: err.Error()}, nil
}

// gone reports whether there was no answer.
func gone(err error) bool {
	var e *url.Error
	return errors.As(err, &e)
}

// compareVersions orders numbers by value, before what is none.
func compareVersions(a, b string) int {
	x, errA := strconv.ParseUint(a, 10, 63)
	y, errB := strconv.ParseUint(b, 10, 63)
	switch {
	case errA == nil && errB == nil && x != y:
		return cmp.Compare(x, y)
	case errA == nil && errB != nil:
		return 1
	case errA != nil && errB == nil:
		return -1
	}
	return cmp.Compare(a, b)
}
