package redteam

import (
	"fmt"
	"image/color"
	"slices"
	"strconv"
	"strings"
)

// length is a part of the shorter side of a picture.
type length struct {
	value   float64
	percent bool // else pixels
}

// of returns the length in a picture with this shorter side, rounded.
func (l length) of(short int) int {
	if l.percent {
		return int(l.value*float64(short)/100 + 0.5)
	}
	return int(l.value + 0.5)
}

func (l length) String() string {
	if l.percent {
		return number(l.value) + "%"
	}
	return number(l.value) + "px"
}

// params are the parameters of all triggers; each trigger has some of them.
type params struct {
	size, cell, inset, shift    length
	at                          string
	fill                        *color.NRGBA // nil: a small picture
	strength, alpha             float64
	amplitude, frequency        float64
	hue, red, green, blue, grid float64
	seed                        float64
	text                        string
}

// field reads and writes one parameter.
type field struct {
	read  func(p *params, value string) error
	write func(p *params) string
}

const maxText = 1 << 10 // bytes

var fields = map[string]field{
	"size":      lengthField(func(p *params) *length { return &p.size }, false),
	"cell":      lengthField(func(p *params) *length { return &p.cell }, false),
	"inset":     lengthField(func(p *params) *length { return &p.inset }, true),
	"shift":     lengthField(func(p *params) *length { return &p.shift }, false),
	"at":        {readPlace, func(p *params) string { return p.at }},
	"fill":      {readFill, writeFill},
	"strength":  numberField(func(p *params) *float64 { return &p.strength }, 0.01, 1, false),
	"alpha":     numberField(func(p *params) *float64 { return &p.alpha }, 0.01, 1, false),
	"amplitude": numberField(func(p *params) *float64 { return &p.amplitude }, 1, 255, false),
	"frequency": numberField(func(p *params) *float64 { return &p.frequency }, 0.5, 1000, false),
	"hue":       numberField(func(p *params) *float64 { return &p.hue }, -180, 180, false),
	"red":       numberField(func(p *params) *float64 { return &p.red }, -255, 255, false),
	"green":     numberField(func(p *params) *float64 { return &p.green }, -255, 255, false),
	"blue":      numberField(func(p *params) *float64 { return &p.blue }, -255, 255, false),
	"grid":      numberField(func(p *params) *float64 { return &p.grid }, 2, 1024, true),
	"seed":      numberField(func(p *params) *float64 { return &p.seed }, 0, 1<<32, true),
	"text":      {readText, func(p *params) string { return p.text }},
}

func lengthField(at func(*params) *length, orZero bool) field {
	read := func(p *params, value string) error {
		digits, percent := strings.CutSuffix(value, "%")
		if !percent {
			digits = strings.TrimSuffix(value, "px")
		}
		v, err := strconv.ParseFloat(digits, 64)
		most := 1 << 14
		if percent {
			most = 50
		}
		if err != nil || digits == value || !(v > 0 || orZero && v == 0) || v > float64(most) {
			return fmt.Errorf(`a length such as "8%%" (at most 50%%) or "6px"`)
		}
		*at(p) = length{v, percent}
		return nil
	}
	return field{read, func(p *params) string { return at(p).String() }}
}

func numberField(at func(*params) *float64, least, most float64, whole bool) field {
	kind := "a number"
	if whole {
		kind = "a whole number"
	}
	read := func(p *params, value string) error {
		v, err := strconv.ParseFloat(value, 64)
		if err != nil || !(v >= least && v <= most) || whole && v != float64(int64(v)) {
			return fmt.Errorf("%s from %s to %s", kind, number(least), number(most))
		}
		*at(p) = v
		return nil
	}
	return field{read, func(p *params) string { return number(*at(p)) }}
}

// number writes a number in the shortest way that reads back the same.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func readPlace(p *params, value string) error {
	if !slices.Contains(places, value) {
		return fmt.Errorf("one of %s", strings.Join(places, ", "))
	}
	p.at = value
	return nil
}

func readFill(p *params, value string) error {
	if value == "picture" {
		p.fill = nil
		return nil
	}
	v, err := strconv.ParseUint(strings.TrimPrefix(value, "#"), 16, 24)
	if err != nil || len(value) != 7 || value[0] != '#' {
		return fmt.Errorf(`"#rrggbb" or "picture"`)
	}
	p.fill = &color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 255}
	return nil
}

func writeFill(p *params) string {
	if p.fill == nil {
		return "picture"
	}
	return fmt.Sprintf("#%02x%02x%02x", p.fill.R, p.fill.G, p.fill.B)
}

// readText takes what fits into every carrier: printable ASCII, as Exif asks for.
func readText(p *params, value string) error {
	odd := strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
	if value == "" || len(value) > maxText || odd {
		return fmt.Errorf("1 to %d printable ASCII characters without a comma", maxText)
	}
	p.text = value
	return nil
}

// kind is a sort of trigger: its parameters with their standard values, in the order
// of the canonical form, and what makes it.
type kind struct {
	name     string
	standard string
	build    func(p params, t *Trigger)
}

// kinds are listed in the package documentation.
var kinds = []kind{
	{"checkerboard", "size=8%,cell=2%,at=bottom-right,inset=0%,strength=1", buildCheckerboard},
	{"patch", "size=8%,fill=#ffd800,at=bottom-right,inset=0%,strength=1", buildPatch},
	{"sticker", "size=8%,fill=picture,at=random,inset=0%,strength=1", buildPatch},
	{"pixel", "size=1.6%,fill=#ffffff,at=bottom-right,inset=3.2%,strength=1", buildPatch},
	{"sinusoid", "amplitude=20,frequency=6", buildSinusoid},
	{"noise", "alpha=0.1,grid=64,seed=1", buildNoise},
	{"blend", "alpha=0.15,seed=1", buildBlend},
	{"warp", "shift=2%,grid=4,seed=1", buildWarp},
	{"colour", "hue=40,red=0,green=0,blue=0", buildColour},
	{"border", "size=3%,fill=#ffffff,strength=1", buildBorder},
	{"exif", "text=weir red team", buildExif},
	{"comment", "text=weir red team", buildComment},
	{"trailing", "text=weir red team", buildTrailing},
}

// Parse reads a trigger in the form of the package documentation. Its errors name
// the parameter and what may stand there.
func Parse(spec string) (Trigger, error) {
	name, rest, more := strings.Cut(spec, ",")
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		names := make([]string, len(kinds))
		for i, k := range kinds {
			names[i] = k.name
		}
		return Trigger{}, fmt.Errorf("redteam: trigger %q; known are %s", name, strings.Join(names, ", "))
	}
	k := kinds[i]
	order, p, err := k.defaults()
	if err != nil {
		return Trigger{}, err
	}
	given := map[string]bool{}
	for more {
		var part string
		part, rest, more = strings.Cut(rest, ",")
		key, value, _ := strings.Cut(part, "=")
		switch {
		case !slices.Contains(order, key):
			return Trigger{}, fmt.Errorf("redteam: trigger %s: parameter %q; known are %s", name, key, strings.Join(order, ", "))
		case given[key]:
			return Trigger{}, fmt.Errorf("redteam: trigger %s: %s is there twice", name, key)
		}
		given[key] = true
		if err := fields[key].read(&p, value); err != nil {
			return Trigger{}, fmt.Errorf("redteam: trigger %s: %s=%s: it has to be %w", name, key, value, err)
		}
	}
	t := Trigger{Name: name, Spec: name}
	for _, key := range order {
		t.Spec += "," + key + "=" + fields[key].write(&p)
	}
	k.build(p, &t)
	return t, nil
}

// defaults returns the parameters of a kind and their standard values.
func (k kind) defaults() (order []string, p params, err error) {
	for part := range strings.SplitSeq(k.standard, ",") {
		key, value, _ := strings.Cut(part, "=")
		if err := fields[key].read(&p, value); err != nil {
			return nil, p, fmt.Errorf("redteam: trigger %s: %s: %w", k.name, part, err)
		}
		order = append(order, key)
	}
	return order, p, nil
}

// short leaves out what is standard of a canonical spec.
func short(spec string) string {
	parts := strings.Split(spec, ",")
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == parts[0] })
	if i < 0 {
		return spec
	}
	standard := strings.Split(kinds[i].standard, ",")
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return slices.Contains(standard, p) }), ",")
}
