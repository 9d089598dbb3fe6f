package sanitize

import (
	"testing"
	stdunicode "unicode"
)

// hiddenCharacters lists what has no shape, by the tables of the standard library
// and not by those that Text uses. Directional overrides are refused, not removed.
func hiddenCharacters() []rune {
	var all []rune
	for r := rune(0); r <= stdunicode.MaxRune; r++ {
		visible := stdunicode.In(r, stdunicode.Prepended_Concatenation_Mark, stdunicode.Egyptian_Hieroglyphs)
		if stdunicode.In(r, stdunicode.Cf, stdunicode.Other_Default_Ignorable_Code_Point, stdunicode.Variation_Selector,
			stdunicode.Noncharacter_Code_Point) && !visible && r != leftToRightOverride && r != rightToLeftOverride {
			all = append(all, r)
		}
	}
	return all
}

// No hidden character, nor two, survives in text of a script that has no use for
// them: nothing can be smuggled there.
func TestTextHidesNothingInPlainScripts(t *testing.T) {
	hidden := hiddenCharacters()
	if len(hidden) < 4100 {
		t.Fatalf("only %d hidden characters", len(hidden))
	}
	check := func(left, inserted, right, profile string) {
		out, _, err := Text([]byte(left+inserted+right), TextOptions{Profile: profile})
		if err != nil || string(out) != left+right {
			t.Errorf("%q, %+q, %q became %+q, %v", left, inserted, right, out, err)
		}
	}
	for _, profile := range []string{TextBalanced, TextStrict} {
		for _, r := range hidden {
			for _, around := range []string{"ab", "é1", "Жж", "αω", "1#", "!?"} {
				runes := []rune(around)
				check(string(runes[0]), string(r), string(runes[1]), profile)
			}
			check("", string(r), "", profile)
			check("a", string(r)+"\uFE0F", "b", profile)
			check("a", string(r)+"\u200D", "b", profile)
			check("a", "\U000E0061"+string(r), "b", profile)
		}
	}
}
