package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Dump writes the configuration as YAML with every default filled in and every
// path resolved. Secrets are there as paths only. Parse reads it as the same
// configuration.
func (c *Config) Dump() []byte {
	var root yaml.Node
	if err := root.Encode(c); err != nil {
		panic("config: internal error: " + err.Error()) // a Config has no value that YAML cannot hold
	}
	escape(&root)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&root); err != nil {
		panic("config: internal error: " + err.Error())
	}
	return out.Bytes()
}

// escape doubles the dollar signs of the values below n, keys excepted: the
// inverse of expand.
func escape(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		n.Value = strings.ReplaceAll(n.Value, "$", "$$")
	}
	for i, child := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			escape(child)
		}
	}
}

// Digest returns the SHA-256, in hexadecimal, of the effective configuration and
// of the contents of the files that it refers to. Two configurations with the
// same digest filter alike.
func (c *Config) Digest() string {
	h := sha256.New()
	h.Write(c.Dump())
	for _, path := range sorted(c.source.contents) {
		fmt.Fprintf(h, "%q %s\n", path, sum(c.source.contents[path]))
	}
	return hex.EncodeToString(h.Sum(nil))
}
