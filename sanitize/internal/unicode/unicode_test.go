package unicode

import (
	"testing"
	"unicode"

	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/rangetable"
)

// assigned calls f for each code point that the standard library knows, whose
// tables come from another generator and may be older.
func assigned(t *testing.T, f func(r rune, p Properties)) {
	n := 0
	rangetable.Visit(rangetable.Assigned(unicode.Version), func(r rune) {
		f(r, Lookup(r))
		n++
	})
	if n < 280_000 {
		t.Errorf("only %d code points", n)
	}
}

func TestCategoriesAreThoseOfTheStandardLibrary(t *testing.T) {
	assigned(t, func(r rune, p Properties) {
		for _, c := range []struct {
			flag  Properties
			table *unicode.RangeTable
		}{{Letter, unicode.L}, {Mark, unicode.M}, {Number, unicode.N}} {
			if p.Has(c.flag) != unicode.Is(c.table, r) {
				t.Errorf("%U: flag %#x is %v", r, c.flag, p.Has(c.flag))
			}
		}
		if p.Has(Nonspacing) != unicode.In(r, unicode.Mn, unicode.Me) && r != 0x1171E { // Mc since Unicode 16
			t.Errorf("%U: nonspacing %v", r, p.Has(Nonspacing))
		}
		if last := r&0xFFFE == 0xFFFE; (p.Class() == PrivateUse) != (unicode.Is(unicode.Co, r) && !last) {
			t.Errorf("%U: class %d", r, p.Class())
		}
		if class := p.Class(); unicode.Is(unicode.Zs, r) && r != ' ' && class != Space && class != NarrowNoBreakSpace {
			t.Errorf("%U: a space of class %d", r, class)
		}
	})
}

func TestNormalisationIsThatOfXText(t *testing.T) {
	assigned(t, func(r rune, p Properties) {
		s := string(r)
		x := norm.NFC.PropertiesString(s)
		if p.CombiningClass() != x.CCC() {
			t.Errorf("%U: combining class %d, want %d", r, p.CombiningClass(), x.CCC())
		}
		if p.Has(NFCNo) == norm.NFC.IsNormalString(s) {
			t.Errorf("%U: NFCNo is %v", r, p.Has(NFCNo))
		}
		if !p.Has(NFCNo) && p.Has(Compatibility) == norm.NFKC.IsNormalString(s) {
			t.Errorf("%U: Compatibility is %v", r, p.Has(Compatibility))
		}
		if p.Has(NFCMaybe) == x.BoundaryBefore() && x.CCC() == 0 && !p.Has(NFCNo) {
			t.Errorf("%U: NFCMaybe is %v", r, p.Has(NFCMaybe))
		}
		if nfd := norm.NFD.String(s); nfd != s && !p.Has(NFCNo|Composes) && !trailingHangul(r) {
			t.Errorf("%U decomposes, but is not said to combine", r)
		}
	})
}

// trailingHangul reports whether r is a Hangul syllable with a trailing consonant,
// which nothing combines with.
func trailingHangul(r rune) bool {
	i := r - 0xAC00
	return i >= 0 && i < 11172 && i%28 != 0
}

func TestRightToLeftIsThatOfXText(t *testing.T) {
	assigned(t, func(r rune, p Properties) {
		x, _ := bidi.LookupRune(r)
		if want := x.Class() == bidi.R || x.Class() == bidi.AL; p.Has(RightToLeft) != want {
			t.Errorf("%U: right to left %v", r, p.Has(RightToLeft))
		}
	})
}

// Nothing that is invisible by the tables of the standard library is Ordinary; the
// format characters that are left are visible signs.
func TestInvisibleCharactersHaveAClass(t *testing.T) {
	visible := 0
	rangetable.Visit(rangetable.Merge(unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
		unicode.Noncharacter_Code_Point), func(r rune) {
		switch class := Lookup(r).Class(); {
		case r == '\t' || r == '\n':
			if class != Ordinary {
				t.Errorf("%U: class %d", r, class)
			}
		case unicode.In(r, unicode.Prepended_Concatenation_Mark, unicode.Egyptian_Hieroglyphs):
			visible++
			if class != Ordinary {
				t.Errorf("%U is visible, but of class %d", r, class)
			}
		case class == Ordinary, unicode.Is(unicode.Cc, r) != (class == Control):
			t.Errorf("%U: class %d", r, class)
		}
	})
	if visible == 0 {
		t.Error("no visible format character")
	}
}

func TestFolded(t *testing.T) {
	for r, plain := range folds {
		if !Lookup(r).Has(Fold) {
			t.Errorf("%U has no flag", r)
		}
		if unicode.IsGraphic(r) && norm.NFKC.String(string(r)) != norm.NFKC.String(plain) {
			t.Errorf("%U folds to %q", r, plain)
		}
		for _, x := range plain {
			if Lookup(x).Has(Fold) || Lookup(x).Class() != Ordinary {
				t.Errorf("%U folds to %U, which does not stay", r, x)
			}
		}
	}
	for r, want := range map[rune]string{'Ａ': "A", '𝐚': "a", 'ﬃ': "ffi", 'ｱ': "ア", 'a': "", 0x2139: "", '²': "", 0x3000: ""} {
		if got := Folded(r); got != want || Lookup(r).Has(Fold) != (want != "") {
			t.Errorf("%U folds to %q", r, got)
		}
	}
}

func TestScripts(t *testing.T) {
	for _, c := range []struct {
		chars string
		flag  Properties
		want  bool
	}{
		{"یكܐߊക്ରকि྄ᠠ𞤀", Joining, true},
		{"aЖα中あ한1 !", Joining, false},
		{"กກកမབ", Unspaced, true},
		{"aک中", Unspaced, false},
		{"👩❤🚀©", Pictographic, true},
		{"🏻🏿", EmojiModifier, true},
		{"❤☺1#", EmojiStyle, true},
		{"😀a", EmojiModifier | EmojiStyle, false},
	} {
		for _, r := range c.chars {
			if Lookup(r).Has(c.flag) != c.want {
				t.Errorf("%U: flag %#x is %v", r, c.flag, !c.want)
			}
		}
	}
	for r, want := range map[rune]Group{'中': Han, 'あ': EastAsian, '한': EastAsian, '，': WidePunctuation, 'א': Hebrew,
		'ᠠ': Mongolian, 'ക': Malayalam, 'ᄀ': JamoL, 'ᅡ': JamoV, 'ᆨ': JamoT, '⠁': Braille, 'a': NoGroup,
		0x115F: NoGroup, 0x1160: NoGroup, 0x2800: NoGroup} {
		if got := Lookup(r).Group(); got != want {
			t.Errorf("%U: group %d, want %d", r, got, want)
		}
	}
}

func TestStandardVariant(t *testing.T) {
	for _, c := range []struct {
		base, selector rune
		want           bool
	}{{'∩', 0xFE00, true}, {'0', 0xFE00, true}, {'a', 0xFE00, false}, {'∩', 0xFE01, false}, {'1', 0xFE0F, false},
		{0x2A600, 0xFE00, true}, {0xA856, 0xFE00, true}, {0, 0, false}} {
		if got := StandardVariant(c.base, c.selector); got != c.want {
			t.Errorf("%U %U: %v", c.base, c.selector, got)
		}
	}
}

func TestLookupOutsideUnicode(t *testing.T) {
	for _, r := range []rune{-1, 0x110000, 0x7FFFFFFF} {
		if Lookup(r) != 0 {
			t.Errorf("%#x has properties", r)
		}
	}
}

func TestName(t *testing.T) {
	for r, want := range map[rune]string{0x200B: "U+200B ZERO WIDTH SPACE", 0xAD: "U+00AD SOFT HYPHEN", 0xFFF5: "U+FFF5"} {
		if got := Name(r); got != want || Named(r) == (r == 0xFFF5) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
