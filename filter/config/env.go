package config

import (
	"fmt"
	"strings"
)

// expand replaces ${env:NAME} and ${env:NAME:-default} by environment variables
// and $$ by $. As in a shell, the default stands for a variable that is unset or
// empty; a variable that is unset and has no default is an error. What a variable
// holds is not expanded again.
func expand(text string, env func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		switch {
		case strings.HasPrefix(after, "$"):
			out.WriteByte('$')
			text = after[1:]
		case strings.HasPrefix(after, "{"):
			reference, rest, closed := strings.Cut(after[1:], "}")
			if !closed {
				return "", fmt.Errorf("${ without }; write $$ for a dollar sign")
			}
			value, err := lookUp(reference, env)
			if err != nil {
				return "", err
			}
			out.WriteString(value)
			text = rest
		default:
			out.WriteByte('$')
			text = after
		}
	}
}

// lookUp returns the value of one reference, the text between ${ and }.
func lookUp(reference string, env func(string) (string, bool)) (string, error) {
	variable, isEnv := strings.CutPrefix(reference, "env:")
	name, fallback, hasFallback := strings.Cut(variable, ":-")
	if !isEnv || !isEnvName(name) {
		return "", fmt.Errorf("unknown reference ${%.64s}; write ${env:NAME}, ${env:NAME:-default}, or $$ for a dollar sign", reference)
	}
	value, set := env(name)
	switch {
	case hasFallback && value == "":
		return fallback, nil
	case !set:
		return "", fmt.Errorf("environment variable %.64s is not set; ${env:%.64s:-default} would give it a default", name, name)
	}
	return value, nil
}

// isEnvName reports whether a name is one of POSIX (XBD 8.1), in either case.
func isEnvName(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
