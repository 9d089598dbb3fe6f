package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Issue is one thing that is wrong, or worth a warning, at one place of the file.
type Issue struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // from 1
	Column  int    `json:"column"` // from 1, in characters
	Path    string `json:"path"`   // models[0].inputs.IMAGE.profile; "" is the whole file
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what to write instead
}

// String returns file:line:column: path: message (hint).
func (i Issue) String() string {
	text := fmt.Sprintf("%s:%d:%d: ", i.File, i.Line, i.Column)
	if i.Path != "" {
		text += i.Path + ": "
	}
	text += i.Message
	if i.Hint != "" {
		text += " (" + i.Hint + ")"
	}
	return text
}

// Errors is everything that is wrong with a file, in the order of the places.
type Errors []Issue

// Error returns one line per issue.
func (e Errors) Error() string { return lines(e) }

// Warnings is everything that is allowed but that an operator should know, in the
// order of the places.
type Warnings []Issue

// String returns one line per issue.
func (w Warnings) String() string { return lines(w) }

func lines(issues []Issue) string {
	texts := make([]string, len(issues))
	for i := range issues {
		texts[i] = issues[i].String()
	}
	return strings.Join(texts, "\n")
}

// maxIssues bounds how many errors, and how many warnings, are kept of one file.
const maxIssues = 200

// position is a place in the file; line and column count from 1.
type position struct{ line, column int }

// report collects what is found in one file.
type report struct {
	file     string
	errors   Errors
	warnings Warnings
	unread   map[string]bool // paths of values that could not be read
}

// add records an error.
func (r *report) add(at position, path, message, hint string) {
	switch {
	case len(r.errors) > maxIssues:
		return
	case len(r.errors) == maxIssues:
		path, message, hint = "", fmt.Sprintf("more than %d errors; the rest is left out", maxIssues), ""
	}
	r.errors = append(r.errors, Issue{r.file, at.line, at.column, path, message, hint})
}

func (r *report) warn(at position, path, message string) {
	if len(r.warnings) < maxIssues {
		r.warnings = append(r.warnings, Issue{r.file, at.line, at.column, path, message, ""})
	}
}

// result returns the configuration, or what is wrong with it, in order.
func (r *report) result(c *Config) (*Config, Warnings, error) {
	order := func(a, b Issue) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	}
	slices.SortStableFunc(r.errors, order)
	slices.SortStableFunc(r.warnings, order)
	if len(r.errors) > 0 {
		return nil, r.warnings, r.errors
	}
	return c, r.warnings, nil
}

// quote quotes a text of the file for a message, shortened if it is long.
func quote(text string) string {
	const most = 64
	if runes := []rune(text[:min(len(text), 4*most)]); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

// didYouMean returns a hint at the name that is most like text or ends with it, or
// at all of them if there are few, or "".
func didYouMean(text string, names []string) string {
	best, least := "", max(1, len(text)/3)+1
	for _, name := range names {
		if d := distance(text, name, least); d < least {
			best, least = name, d
		} else if best == "" && strings.HasSuffix(name, "_"+text) {
			best = name
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(names) > 0 && len(names) <= 6:
		return "one of: " + strings.Join(names, ", ")
	}
	return ""
}

// distance is the Damerau–Levenshtein distance (optimal string alignment) of two
// texts, letters compared without case; limit if it is at least that.
func distance(a, b string, limit int) int {
	if abs(len(a)-len(b)) >= limit {
		return limit
	}
	a, b = strings.ToLower(a), strings.ToLower(b)
	before, previous, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(previous[j+1]+1, row[j]+1, previous[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, previous, row = previous, row, before
	}
	return min(previous[len(b)], limit)
}

func abs(n int) int { return max(n, -n) }
