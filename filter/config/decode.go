package config

import (
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// decoder fills a Config from the nodes of a file. The decoder of the YAML
// package would stop at the first fault, name Go types and lose strictness in
// types of their own; this one reports each fault at its place and goes on. A value
// that cannot be read leaves the default.
type decoder struct {
	*report
	env       func(string) (string, bool)
	folder    string              // where relative paths start
	positions map[string]position // of every value in the file, by path
}

// value decodes a node into v, which holds the default.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	d.positions[path] = at(n)
	if fault := foreign(n); fault != "" {
		d.fail(n, path, fault, "")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.section(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Pointer:
		known := len(d.errors)
		target := reflect.New(v.Type().Elem())
		if d.value(n, target.Elem(), path); len(d.errors) == known {
			v.Set(target)
		}
	default:
		d.scalar(n, v, path)
	}
}

// foreign names a feature of YAML that the file may not use, because two readers
// of the file, or two parsers, could see different values.
func foreign(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.AliasNode:
		return "aliases are not allowed"
	case n.Anchor != "":
		return "anchors are not allowed"
	case n.Style&yaml.TaggedStyle != 0:
		return "tags are not allowed"
	}
	return ""
}

// fail reports that the value at path cannot be read.
func (d *decoder) fail(n *yaml.Node, path, message, hint string) {
	d.add(at(n), path, message, hint)
	d.unread[path] = true
}

func at(n *yaml.Node) position { return position{n.Line, n.Column} }

// section decodes a mapping into a struct.
func (d *decoder) section(n *yaml.Node, v reflect.Value, path string) {
	if s, ok := v.Addr().Interface().(interface{ setDefaults() }); ok {
		s.setDefaults() // an element of a list or map, which Default does not hold
	}
	fields := fieldsOf(v.Type())
	d.entries(n, path, func(key, value *yaml.Node) {
		child := join(path, key.Value)
		for _, f := range fields {
			if f.name == key.Value {
				d.value(value, v.Field(f.index), child)
				return
			}
		}
		d.add(at(key), child, "unknown key", didYouMean(key.Value, names(fields)))
	})
}

// mapping decodes a mapping into a map from names to structs.
func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	v.Set(reflect.MakeMap(v.Type()))
	d.entries(n, path, func(key, value *yaml.Node) {
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(value, element, join(path, key.Value))
		v.SetMapIndex(reflect.ValueOf(key.Value), element)
	})
}

// list decodes a sequence into a slice.
func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n, path, "expected a list, got "+describe(n), "")
		return
	}
	if len(n.Content) == 0 {
		d.fail(n, path, "empty list", "give it an entry or leave it out")
		return
	}
	elements := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, child := range n.Content {
		d.value(child, elements.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(elements)
}

// entries calls visit for each entry of a mapping whose key is in order.
func (d *decoder) entries(n *yaml.Node, path string, visit func(key, value *yaml.Node)) {
	empty := n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" || n.Kind == yaml.MappingNode && len(n.Content) == 0
	switch {
	case empty:
		d.fail(n, path, "empty section", "give it a key or leave it out")
		return
	case n.Kind != yaml.MappingNode:
		d.fail(n, path, "expected a section, got "+describe(n), "")
		return
	}
	seen := map[string]position{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		first, twice := seen[key.Value]
		switch {
		case key.ShortTag() == "!!merge":
			d.add(at(key), join(path, "<<"), "merge keys are not allowed", "")
		case foreign(key) != "":
			d.add(at(key), path, foreign(key), "")
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str":
			d.add(at(key), path, "a key must be a text, got "+describe(key), quotes(key))
		case fault(key.Value) != "":
			d.add(at(key), path, "a key "+fault(key.Value), "")
		case twice:
			d.add(at(key), join(path, key.Value), "duplicate key", fmt.Sprintf("first on line %d", first.line))
		default:
			seen[key.Value] = at(key)
			visit(key, value)
		}
	}
}

// scalar decodes one text, number or boolean.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		d.fail(n, path, "expected "+expected(v)+", got "+describe(n), "")
		return
	}
	text, fromEnv := n.Value, false
	if n.ShortTag() == "!!str" {
		expanded, err := expand(text, d.env)
		if err != nil {
			d.fail(n, path, err.Error(), "")
			return
		}
		text, fromEnv = expanded, strings.Contains(n.Value, "${")
	}
	if fault := fault(text); fault != "" {
		d.fail(n, path, "the value "+fault, "")
		return
	}
	if s, ok := v.Addr().Interface().(scalar); ok {
		if err := s.set(text); err != nil {
			d.fail(n, path, err.Error()+", got "+describe(n), "")
		}
		return
	}
	if v.Kind() == reflect.String {
		d.text(n, v, path, text)
		return
	}
	plain := n.ShortTag() != "!!str" || fromEnv || n.Style == 0
	if !plain || !setNumber(v, text) {
		d.fail(n, path, "expected "+expected(v)+", got "+describe(n), "")
	}
}

// text stores a text: a name of a closed list, a path, or any.
func (d *decoder) text(n *yaml.Node, v reflect.Value, path, text string) {
	if n.ShortTag() != "!!str" {
		d.fail(n, path, "expected a text, got "+describe(n), quotes(n))
		return
	}
	switch value := v.Interface().(type) {
	case enum:
		for _, name := range value.names() {
			if text == name {
				v.SetString(text)
				return
			}
		}
		if r, ok := value.(refuser); ok {
			if message, hint := r.never(text); message != "" {
				d.fail(n, path, message, hint)
				return
			}
		}
		d.fail(n, path, "unknown value "+quote(n.Value), didYouMean(n.Value, value.names()))
		return
	case File, Dir:
		if text != "" && !filepath.IsAbs(text) {
			text = filepath.Join(d.folder, text)
		}
	}
	v.SetString(text)
}

// setNumber stores a boolean, or a decimal number that is finite.
func setNumber(v reflect.Value, text string) bool {
	switch v.Kind() {
	case reflect.Bool:
		if text != "true" && text != "false" {
			return false // the yes, no, on and off of YAML 1.1
		}
		v.SetBool(text == "true")
		return true
	case reflect.Int64:
		n, err := parseDigits(strings.TrimPrefix(text, "-"))
		if err != nil {
			return false
		}
		if strings.HasPrefix(text, "-") {
			n = -n
		}
		v.SetInt(n)
		return true
	}
	if strings.Trim(text, "0123456789+-.eE") != "" {
		return false // hexadecimal, underscores, .inf, .nan
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(x, 0) {
		return false
	}
	v.SetFloat(x)
	return true
}

// fault says why a text may stand nowhere in the file: control characters would
// pass into logs, paths and headers.
func fault(text string) string {
	if len(text) > 4096 {
		return "is longer than 4096 bytes"
	}
	for _, r := range text {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return fmt.Sprintf("holds the control character U+%04X", r)
		}
	}
	return ""
}

// expected names what a scalar should be.
func expected(v reflect.Value) string {
	switch v.Interface().(type) {
	case Duration:
		return "a duration such as 250ms, 10s or 30d"
	case Bytes:
		return "a size such as 64MiB"
	}
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	}
	return "a text"
}

// describe names what a node is, as it stands in the file: what came from the
// environment is not shown.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a section"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the boolean " + n.Value
	case "!!timestamp":
		return "the date " + n.Value
	}
	return "the text " + quote(n.Value)
}

// quotes hints at how a number or boolean becomes a text.
func quotes(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return "write " + quote(n.Value) + " in quotes"
}

// field is a key of a section.
type field struct {
	name     string
	index    int
	max      string // largest value, or ""
	restart  bool   // only a restart changes it
	optional bool   // left out of a dump when it is empty
}

// fieldsOf lists the keys of a section in the order of its struct.
func fieldsOf(t reflect.Type) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name != "" {
			fields = append(fields, field{name, i, f.Tag.Get("max"), f.Tag.Get("reload") == "restart",
				strings.Contains(options, "omitempty")})
		}
	}
	return fields
}

func names(fields []field) []string {
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.name
	}
	return all
}

// join appends a key to a path: quoted unless it is a plain word.
func join(path, key string) string {
	word := key != ""
	for _, c := range []byte(key) {
		word = word && (c == '_' || c == '-' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z')
	}
	switch {
	case !word:
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}
