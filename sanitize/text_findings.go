package sanitize

import "weir/sanitize/internal/unicode"

// findings adds up what the passes of Text took out.
type findings struct {
	removed      []Removal
	keys         []rune // keys[i] stands for removed[i]
	renormalised bool   // content was rewritten, not only taken out
}

// Keys of findings that stand for more than one code point.
const (
	keyEscape rune = -1 - iota
	keyDeletion
	keyCarriageReturn
	keyLineBreak
	keyControl
	keyFold
	keyMarks
	keyClass // keyClass-c stands for the class c
)

// add counts n bytes under key, a code point or one of the constants. Keys are
// few, and numbers, because a hostile text is all removals.
func (f *findings) add(key rune, n int) {
	for i, k := range f.keys {
		if k == key {
			f.removed[i].Bytes += n
			return
		}
	}
	f.keys = append(f.keys, key)
	f.removed = append(f.removed, Removal{Where: keyLabel(key), Bytes: n})
}

func (f *findings) action(changed bool) Action {
	switch {
	case !changed:
		return Unchanged
	case f.renormalised:
		return Renormalised
	default:
		return Stripped
	}
}

// keyOf returns the key under which a code point of a class is reported.
func keyOf(r rune, c unicode.Class) rune {
	switch c {
	case unicode.BrailleBlank, unicode.NarrowNoBreakSpace:
		return keyClass - rune(unicode.Space)
	case unicode.Ignorable:
		if !unicode.Named(r) {
			return keyClass
		}
	}
	if classLabels[c] != "" {
		return keyClass - rune(c)
	}
	return r
}

// keyLabel returns the words of a report for a key.
func keyLabel(key rune) string {
	switch key {
	case keyEscape:
		return "ANSI escape sequences"
	case keyDeletion:
		return "deletion controls"
	case keyCarriageReturn:
		return "carriage returns"
	case keyLineBreak:
		return "line breaks other than LF"
	case keyControl:
		return "control characters"
	case keyFold:
		return "compatibility look-alikes"
	case keyMarks:
		return "combining marks over the limit"
	case keyClass:
		return "unassigned invisible characters"
	}
	if key >= 0 {
		return unicode.Name(key)
	}
	return classLabels[unicode.Class(keyClass-key)]
}

var classLabels = map[unicode.Class]string{
	unicode.Noncharacter:      "noncharacters",
	unicode.VariationSelector: "variation selectors",
	unicode.MongolianSelector: "Mongolian variation selectors",
	unicode.Tag:               "tag characters",
	unicode.BidiEmbedding:     "bidirectional embeddings and isolates",
	unicode.BidiOverride:      "bidirectional overrides",
	unicode.Space:             "spaces other than U+0020",
	unicode.PrivateUse:        "private-use characters",
	unicode.Overlay:           "overlay marks on letters",
}
