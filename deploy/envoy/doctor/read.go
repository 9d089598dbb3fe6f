package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// maxDepth is how deep values of a YAML file may be nested, which aliases can make
// endless.
const maxDepth = 200

var errTooLarge = errors.New("its aliases make too many values, or they are nested too deep")

// read parses a file of YAML or JSON.
func read(data []byte) (*node, error) {
	parse := readYAML
	if json.Valid(data) {
		parse = readJSON
	}
	root, err := parse(data)
	if err == nil && (root == nil || root.kind != object) {
		err = errors.New("it holds no object")
	}
	return root, err
}

func readYAML(data []byte) (*node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one document")
	}
	r := yamlReader{left: len(data)} // without aliases there cannot be more values than bytes
	return r.node(nil, "", document.Content[0])
}

type yamlReader struct{ left, depth int }

func (r *yamlReader) node(parent *node, step string, y *yaml.Node) (*node, error) {
	for y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	r.left--
	r.depth++
	defer func() { r.depth-- }()
	if r.left < 0 || r.depth > maxDepth {
		return nil, errTooLarge
	}
	n := &node{parent: parent, step: step, line: y.Line, text: y.Value}
	switch y.Kind {
	case yaml.MappingNode:
		n.kind = object
		return n, r.fields(n, y)
	case yaml.SequenceNode:
		n.kind = list
		for i, item := range y.Content {
			child, err := r.node(n, index(i), item)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, child)
		}
	case yaml.ScalarNode:
		if y.Tag == "!!null" {
			return nil, nil
		}
	}
	return n, nil
}

func (r *yamlReader) fields(n *node, y *yaml.Node) error {
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		if key.Tag == "!ignore" { // Envoy's mark of a field that holds anchors
			continue
		}
		child, err := r.node(n, step(key.Value), y.Content[i+1])
		if err != nil {
			return err
		}
		if err := n.add(key.Value, child, key.Line); err != nil {
			return err
		}
	}
	return nil
}

// add adds a field. Parsers differ about which of two fields of one name counts.
func (n *node) add(name string, value *node, line int) error {
	if n.named == nil {
		n.named = map[string]*node{}
	}
	if _, twice := n.named[camel(name)]; twice {
		return fmt.Errorf("line %d: %q is there twice", line, name)
	}
	n.named[camel(name)] = value
	if value != nil {
		n.fields = append(n.fields, field{name, value})
	}
	return nil
}

func step(name string) string {
	for _, c := range name {
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "[" + strconv.Quote(name) + "]"
		}
	}
	return "." + name
}

func index(i int) string { return "[" + strconv.Itoa(i) + "]" }

// readJSON parses JSON, whose escapes are not all those of YAML.
func readJSON(data []byte) (*node, error) {
	r := jsonReader{decoder: json.NewDecoder(bytes.NewReader(data))}
	r.decoder.UseNumber()
	for i, c := range data {
		if c == '\n' {
			r.newlines = append(r.newlines, i)
		}
	}
	return r.node(nil, "")
}

type jsonReader struct {
	decoder  *json.Decoder
	newlines []int // offsets
}

func (r *jsonReader) line() int {
	return 1 + sort.SearchInts(r.newlines, int(r.decoder.InputOffset()))
}

func (r *jsonReader) node(parent *node, step string) (*node, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	n := &node{parent: parent, step: step, line: r.line()}
	switch t := token.(type) {
	case nil:
		return nil, nil
	case json.Delim:
		if t == '[' {
			n.kind = list
			return n, r.items(n)
		}
		n.kind = object
		return n, r.fields(n)
	}
	n.text = fmt.Sprint(token)
	return n, nil
}

func (r *jsonReader) items(n *node) error {
	for i := 0; r.decoder.More(); i++ {
		child, err := r.node(n, index(i))
		if err != nil {
			return err
		}
		n.items = append(n.items, child)
	}
	_, err := r.decoder.Token() // the closing bracket
	return err
}

func (r *jsonReader) fields(n *node) error {
	for r.decoder.More() {
		token, err := r.decoder.Token()
		if err != nil {
			return err
		}
		name, line := fmt.Sprint(token), r.line()
		child, err := r.node(n, step(name))
		if err != nil {
			return err
		}
		if err := n.add(name, child, line); err != nil {
			return err
		}
	}
	_, err := r.decoder.Token() // the closing brace
	return err
}
