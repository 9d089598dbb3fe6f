// Package doctortest holds bootstraps with one thing wrong, each made from the one
// that Weir writes, for tests of what finds it: with the file, and with the dump of an
// Envoy that runs it.
package doctortest

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed cases.yaml
var casesText []byte

// Case is one thing wrong.
type Case struct {
	Name  string
	Rules []string // what is found, in alphabetical order
	Edits []Edit
	// Unjudged says that there is a part which cannot be judged.
	Unjudged bool
	// File says that only a file can be so: a running Envoy has what it lacks.
	File bool
	// Since is the first version of Envoy that starts with it; "": all that Weir serves.
	Since string
}

// Edit changes one place. At is a path such as "ext_proc.message_timeout", which
// begins with one of the roots below.
type Edit struct {
	At     string
	Set    any  // the new value
	Insert any  // instead: an item to put before that at At, the index of a list
	Delete bool // instead: takes it out
}

// roots are the beginnings of paths.
var roots = map[string]string{
	"bootstrap":  "",
	"listener":   "static_resources.listeners.0",
	"manager":    "static_resources.listeners.0.filter_chains.0.filters.0.typed_config",
	"ext_proc":   "static_resources.listeners.0.filter_chains.0.filters.0.typed_config.http_filters.0.typed_config",
	"table":      "static_resources.listeners.0.filter_chains.0.filters.0.typed_config.route_config",
	"host":       "static_resources.listeners.0.filter_chains.0.filters.0.typed_config.route_config.virtual_hosts.0",
	"stream":     "static_resources.listeners.0.filter_chains.0.filters.0.typed_config.route_config.virtual_hosts.0.routes.0",
	"unary":      "static_resources.listeners.0.filter_chains.0.filters.0.typed_config.route_config.virtual_hosts.0.routes.1",
	"events":     "static_resources.listeners.0.filter_chains.0.filters.0.typed_config.route_config.virtual_hosts.0.routes.5",
	"everything": "static_resources.listeners.0.filter_chains.0.filters.0.typed_config.route_config.virtual_hosts.0.routes.6",
	"weir":       "static_resources.clusters.0",
	"model":      "static_resources.clusters.1",
	"grpc":       "static_resources.clusters.2",
}

// Cases returns all cases.
func Cases() ([]Case, error) {
	var all []Case
	decoder := yaml.NewDecoder(strings.NewReader(string(casesText)))
	decoder.KnownFields(true)
	return all, decoder.Decode(&all)
}

// Apply returns the bootstrap of a case, made from one with all routes that Weir
// writes.
func (c Case) Apply(bootstrap []byte) (map[string]any, error) {
	var root any
	if err := yaml.Unmarshal(bootstrap, &root); err != nil {
		return nil, err
	}
	for _, e := range c.Edits {
		name, rest, _ := strings.Cut(e.At, ".")
		base, ok := roots[name]
		if !ok {
			return nil, fmt.Errorf("case %s: no root %q", c.Name, name)
		}
		changed, err := e.apply(root, steps(base+"."+rest))
		if err != nil {
			return nil, fmt.Errorf("case %s: %s: %w", c.Name, e.At, err)
		}
		root = changed
	}
	return root.(map[string]any), nil
}

// steps splits a path; a step in slashes is one whatever it holds.
func steps(path string) (all []string) {
	for i, part := range strings.Split(path, "/") {
		if i%2 == 1 {
			all = append(all, part)
			continue
		}
		all = slices.AppendSeq(all, strings.FieldsFuncSeq(part, func(r rune) bool { return r == '.' }))
	}
	return all
}

// apply returns value with the edit made at the end of a path.
func (e Edit) apply(value any, path []string) (any, error) {
	step := path[0]
	if list, ok := value.([]any); ok {
		i, err := strconv.Atoi(step)
		if err != nil || i < 0 || i > len(list) {
			return nil, fmt.Errorf("no item %s", step)
		}
		switch {
		case len(path) > 1:
			list = slices.Clone(list)
			list[i], err = e.apply(list[i], path[1:])
			return list, err
		case e.Insert != nil:
			return slices.Insert(slices.Clone(list), i, e.Insert), nil
		case e.Delete:
			return slices.Delete(slices.Clone(list), i, i+1), nil
		}
		list = slices.Clone(list)
		list[i] = e.Set
		return list, nil
	}
	fields, ok := value.(map[string]any)
	if !ok && value != nil {
		return nil, fmt.Errorf("nothing at %s", step)
	}
	fields = maps.Clone(fields)
	if fields == nil {
		fields = map[string]any{}
	}
	switch {
	case len(path) > 1:
		inner, err := e.apply(fields[step], path[1:])
		fields[step] = inner
		return fields, err
	case e.Delete:
		if fields[step] == nil {
			return nil, fmt.Errorf("no field %s", step)
		}
		delete(fields, step)
	default:
		fields[step] = e.Set
	}
	return fields, nil
}
