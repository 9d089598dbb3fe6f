package sanitize

import (
	"fmt"
	"strings"
	"testing"
)

func TestNewKey(t *testing.T) {
	if _, err := NewKey(make([]byte, minSecret-1)); err == nil {
		t.Error("a short secret is taken")
	}
	secret := []byte("sixteen bytes or more")
	key, err := NewKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	before := key.draw([]byte("a"))
	secret[0] = 'X'
	if key.draw([]byte("a")) != before {
		t.Error("the key aliases the caller's secret")
	}
	if key.Epoch() != 0 || key.WithEpoch(7).Epoch() != 7 || key.Epoch() != 0 {
		t.Error("WithEpoch does not return another key")
	}
	for _, text := range []string{fmt.Sprint(key), fmt.Sprintf("%+v", key), fmt.Sprintf("%#v", key)} {
		if strings.Contains(text, "sixteen") || strings.Contains(text, "115") {
			t.Errorf("%q shows the secret", text)
		}
	}
}

// TestDrawSeparates holds that every part of a draw counts, and its borders.
func TestDrawSeparates(t *testing.T) {
	key, err := NewKey([]byte("sixteen bytes or more"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewKey([]byte("another sixteen bytes"))
	if err != nil {
		t.Fatal(err)
	}
	base := key.draw([]byte("ab"), []byte("c"))
	if key.draw([]byte("ab"), []byte("c")) != base {
		t.Error("equal draws differ")
	}
	for name, got := range map[string][32]byte{
		"epoch":   key.WithEpoch(1).draw([]byte("ab"), []byte("c")),
		"secret":  other.draw([]byte("ab"), []byte("c")),
		"border":  key.draw([]byte("a"), []byte("bc")),
		"content": key.draw([]byte("ab"), []byte("d")),
		"number":  key.draw([]byte("ab"), []byte("c"), nil),
	} {
		if got == base {
			t.Errorf("the %s does not count", name)
		}
	}
}
