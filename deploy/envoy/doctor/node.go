package doctor

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

type kind uint8

const (
	scalar kind = iota
	object
	list
)

// node is a value of a configuration file. Envoy's messages have one form in YAML
// and JSON (the JSON mapping of protobuf): a field may be named in snake_case or in
// lowerCamelCase. All methods take a nil node for a value that is not there.
type node struct {
	parent *node
	step   string // from the parent: ".name", `["name"]` or "[0]"
	line   int    // from 1
	kind   kind
	text   string           // of a scalar
	fields []field          // of an object, in the order of the file
	named  map[string]*node // the same by their names in lowerCamelCase
	items  []*node          // of a list
}

type field struct {
	name  string
	value *node
}

// path says where the node is, as in "static_resources.listeners[0]".
func (n *node) path() string {
	if n == nil || n.parent == nil {
		return ""
	}
	return strings.TrimPrefix(n.parent.path()+n.step, ".")
}

// get returns the value of a field of a message, or nil.
func (n *node) get(names ...string) *node {
	for _, name := range names {
		n = n.field(name)
	}
	return n
}

func (n *node) field(name string) *node {
	if n == nil {
		return nil
	}
	return n.named[camel(name)]
}

// camel is the JSON name of a field of protobuf.
func camel(name string) string {
	if !strings.Contains(name, "_") {
		return name
	}
	var b strings.Builder
	up := false
	for _, r := range name {
		switch {
		case r == '_':
			up = true
		case up:
			b.WriteString(strings.ToUpper(string(r)))
			up = false
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// list returns the items of a list.
func (n *node) list() []*node {
	if n == nil {
		return nil
	}
	return n.items
}

// entries returns the fields of an object.
func (n *node) entries() []field {
	if n == nil {
		return nil
	}
	return n.fields
}

// string returns the text of a scalar, "" for a value that is not there.
func (n *node) string() string {
	if n == nil {
		return ""
	}
	return n.text
}

// isTrue reports whether a boolean is there and not one of the words that Envoy's
// reader takes for false. What cannot be read counts as true, as the flags that are
// asked for are those that are safe when false.
func (n *node) isTrue() bool {
	return n != nil && !slices.Contains([]string{"false", "no", "off", "n", "0"}, strings.ToLower(n.text))
}

// isFalse reports whether a boolean is there and false.
func (n *node) isFalse() bool { return n != nil && !n.isTrue() }

// number returns a number, or standard if there is none that can be read.
func (n *node) number(standard int64) int64 {
	if n == nil {
		return standard
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil || math.IsNaN(f) {
		return standard
	}
	return int64(min(max(f, math.MinInt32), math.MaxUint32))
}

// duration returns a length of time, or standard if there is none that can be read.
func (n *node) duration(standard time.Duration) time.Duration {
	if n == nil {
		return standard
	}
	d, err := time.ParseDuration(n.text)
	if err != nil {
		return standard
	}
	return d
}

// enum returns the name of an enumerated value, which may be given as its number in
// names; the first name is that of a value which is not there.
func (n *node) enum(names ...string) string {
	if n == nil {
		return names[0]
	}
	if i, err := strconv.Atoi(n.text); err == nil && i >= 0 && i < len(names) {
		return names[i]
	}
	return n.text
}

// typed returns the message type and the fields of an extension's configuration,
// also of one that is wrapped in a TypedStruct.
func (n *node) typed() (message string, config *node) {
	message = afterSlash(n.field("@type").string())
	if message == "xds.type.v3.TypedStruct" || message == "udpa.type.v1.TypedStruct" {
		return afterSlash(n.get("type_url").string()), n.get("value")
	}
	return message, n
}

func afterSlash(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

// walk calls f for the node and all below it, until f returns false for one.
func (n *node) walk(f func(*node) bool) {
	if n == nil || !f(n) {
		return
	}
	for _, entry := range n.fields {
		entry.value.walk(f)
	}
	for _, item := range n.items {
		item.walk(f)
	}
}

// messages returns all nodes at and below n that are messages of a type.
func (n *node) messages(want string) (all []*node) {
	n.walk(func(at *node) bool {
		if message, config := at.typed(); message == want {
			all = append(all, config)
		}
		return true
	})
	return all
}

// orField is the field if it is there, else the node that lacks it.
func (n *node) orField(field *node) *node {
	if field != nil {
		return field
	}
	return n
}
