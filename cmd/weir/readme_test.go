package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/filter/config"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestReadmeIsShortAndItsLinksLead(t *testing.T) {
	text := readme(t)
	measured := regexp.MustCompile("(?s)<!-- lab -->.*<!-- end of lab -->").FindString(text)
	if n := strings.Count(text, "\n") - strings.Count(measured, "\n"); measured == "" || n >= 200 {
		t.Errorf("README has %d lines beside the lab's table, want fewer than 200", n)
	}
	links := regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(text, -1)
	if len(links) == 0 {
		t.Fatal("README has no links")
	}
	for _, link := range links {
		if _, err := os.Stat(filepath.Join("..", "..", link[1])); err != nil && !strings.Contains(link[1], "://") {
			t.Errorf("README links to %s, which is not there", link[1])
		}
	}
}

// TestReadmeConfiguration builds the configuration that newcomers start from;
// that it works in front of a real Triton is held end to end.
func TestReadmeConfiguration(t *testing.T) {
	block := regexp.MustCompile("(?s)```yaml weir.yaml\n(.*?)```").FindStringSubmatch(readme(t))
	if block == nil {
		t.Fatal("README has no weir.yaml")
	}
	text := regexp.MustCompile("(?m)^   ").ReplaceAllString(block[1], "")
	if n := strings.Count(text, "\n"); n > 15 {
		t.Errorf("the configuration has %d lines, want at most 15", n)
	}
	c, _, err := config.Parse("weir.yaml", []byte(text), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Build(make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
}

// TestReadmeNamesSubcommandsThatExist runs --help of every `bin/weir X` of the README.
func TestReadmeNamesSubcommandsThatExist(t *testing.T) {
	for _, m := range regexp.MustCompile("(?m)bin/weir ([a-z-]+(?: [a-z]+)?)").FindAllStringSubmatch(readme(t), -1) {
		args := strings.Fields(m[1])
		c, rest, err := newRoot().Find(args)
		if err != nil || c.Name() == "weir" {
			t.Errorf("README names `weir %s`, which is not there: %v %v", m[1], rest, err)
		}
	}
}
