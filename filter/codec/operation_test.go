package codec

import "testing"

func TestOperationsHaveNames(t *testing.T) {
	seen := map[string]Operation{}
	for o := Deny; o <= RepositoryIndex; o++ {
		name := o.String()
		if other, twice := seen[name]; twice || name == "" {
			t.Errorf("operation %d has the name %q, as has %d", o, name, other)
		}
		seen[name] = o
	}
	if got := (RepositoryIndex + 1).String(); got != "deny" {
		t.Errorf("an operation that does not exist is %q, want deny", got)
	}
}
