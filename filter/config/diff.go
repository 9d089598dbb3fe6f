package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Change is one value that differs between two configurations.
type Change struct {
	// Path is that of the value; elements of lists are named, not counted:
	// models[traffic-sign].checks[low-confidence].min_confidence.
	Path string `json:"path"`
	// Old and New are the values as text; "" is one that is not there.
	Old string `json:"old"`
	New string `json:"new"`

	restart bool
}

// String returns "path: old → new", "path: added" or "path: removed".
func (c Change) String() string {
	switch {
	case c.Old == "":
		return c.Path + ": added"
	case c.New == "":
		return c.Path + ": removed"
	}
	return c.Path + ": " + c.Old + " → " + c.New
}

// Diff lists what has changed from old to new, in the order of the file; of what
// was added or removed as a whole there is one Change. A file that changed under
// the same path is a change too; another order of models or checks is none.
func Diff(old, new *Config) []Change {
	d := &differ{old: old, new: new}
	d.compare("", reflect.ValueOf(*old), reflect.ValueOf(*new), false)
	return d.changes
}

// NeedsRestart lists the changed values that a reload cannot change, by path.
func NeedsRestart(old, new *Config) []string {
	var paths []string
	for _, c := range Diff(old, new) {
		if c.restart {
			paths = append(paths, c.Path)
		}
	}
	return paths
}

type differ struct {
	old, new *Config
	changes  []Change
}

// compare adds what differs between two values of the same type.
func (d *differ) compare(path string, old, new reflect.Value, restart bool) {
	switch {
	case old.Kind() == reflect.Struct:
		for _, f := range fieldsOf(old.Type()) {
			d.compare(join(path, f.name), old.Field(f.index), new.Field(f.index), f.restart)
		}
	case isNamed(old.Type()):
		d.elements(elements(path, old), elements(path, new))
	default:
		before, after := d.old.render(old), d.new.render(new)
		if before != after {
			d.changes = append(d.changes, Change{path, before, after, restart})
		}
	}
}

// elements compares two collections of named structs.
func (d *differ) elements(old, new []element) {
	for _, o := range old {
		if i := slices.IndexFunc(new, o.same); i >= 0 {
			d.compare(o.path, o.value, new[i].value, false)
		} else {
			d.changes = append(d.changes, Change{Path: o.path, Old: "present"})
		}
	}
	for _, n := range new {
		if !slices.ContainsFunc(old, n.same) {
			d.changes = append(d.changes, Change{Path: n.path, New: "present"})
		}
	}
}

// element is a named struct in a list or a map.
type element struct {
	path  string
	value reflect.Value
}

func (e element) same(other element) bool { return e.path == other.path }

// isNamed reports whether the elements of a collection have names. Those of other
// lists have only their order.
func isNamed(t reflect.Type) bool {
	switch {
	case t.Kind() != reflect.Slice && t.Kind() != reflect.Map, t.Elem().Kind() != reflect.Struct:
		return false
	case t.Kind() == reflect.Map:
		return true
	}
	_, named := t.Elem().FieldByName("Name")
	return named
}

func elements(path string, v reflect.Value) []element {
	var all []element
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			name := v.Index(i).FieldByName("Name").String()
			all = append(all, element{path + "[" + name + "]", v.Index(i)})
		}
		return all
	}
	for _, key := range v.MapKeys() {
		all = append(all, element{join(path, key.String()), v.MapIndex(key)})
	}
	slices.SortFunc(all, func(a, b element) int { return strings.Compare(a.path, b.path) })
	return all
}

// render returns a value as text, never "".
func (c *Config) render(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "none"
		}
		return c.render(v.Elem())
	case reflect.Slice:
		texts := make([]string, v.Len())
		for i := range texts {
			texts[i] = c.render(v.Index(i))
		}
		return "[" + strings.Join(texts, ", ") + "]"
	}
	if file, ok := v.Interface().(File); ok && c.Contents(file) != nil {
		return fmt.Sprintf("%s (sha256 %.12s)", file, sum(c.Contents(file)))
	}
	if text := fmt.Sprint(v.Interface()); text != "" {
		return text
	}
	return "none"
}
