package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// scalar is a value that is written as one text and reads its own form.
type scalar interface{ set(text string) error }

// Duration is a length of time, never negative: a Go duration that may begin
// with a whole number of days, such as 250ms, 1h30m or 30d.
type Duration time.Duration

const (
	second = Duration(time.Second)
	day    = Duration(24 * time.Hour)
)

var errDuration = errors.New("expected a duration such as 250ms, 10s or 30d")

func (d *Duration) set(text string) error {
	days, rest, hasDays := strings.Cut(text, "d")
	if !hasDays {
		days, rest = "0", text
	}
	n, err := parseDigits(days)
	if err != nil || n > math.MaxInt64/int64(day) {
		return errDuration
	}
	var clock time.Duration
	if rest != "" {
		if clock, err = time.ParseDuration(rest); err != nil || strings.ContainsAny(rest, "+-") || rest == "0" {
			return errDuration
		}
	}
	total := Duration(n)*day + Duration(clock)
	if total < 0 || (rest == "" && !hasDays) {
		return errDuration
	}
	*d = total
	return nil
}

// String returns the shortest form that reads as the same duration.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	days, clock := d/day, time.Duration(d%day)
	text := ""
	if days != 0 {
		text = strconv.FormatInt(int64(days), 10) + "d"
	}
	if clock == 0 {
		return text
	}
	short := clock.String()
	if strings.HasSuffix(short, "m0s") {
		short = strings.TrimSuffix(short, "0s")
	}
	if strings.HasSuffix(short, "h0m") {
		short = strings.TrimSuffix(short, "0m")
	}
	return text + short
}

// MarshalYAML writes the text form.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }

// Bytes is a number of bytes, never negative: a whole number that may have a
// unit, binary (KiB, MiB, GiB, TiB) or decimal (kB, MB, GB, TB).
type Bytes int64

const mebibyte Bytes = 1 << 20

// units of Bytes; String uses the binary ones, the largest first.
var units = []struct {
	name string
	size Bytes
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
}

func (b *Bytes) set(text string) error {
	digits := strings.TrimRight(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
	unit, size := text[len(digits):], Bytes(0)
	for _, u := range units {
		if unit == u.name || unit == "" {
			size = u.size
			if unit == "" {
				size = 1
			}
			break
		}
	}
	if size == 0 {
		return fmt.Errorf("unknown unit %s: sizes have B, KiB, MiB, GiB, TiB, kB, MB, GB or TB", quote(unit))
	}
	if unit != "" {
		digits = strings.TrimSuffix(digits, " ")
	}
	n, err := parseDigits(digits)
	if err != nil {
		return errors.New("expected a whole number of bytes such as 64MiB or 1048576")
	}
	if n > math.MaxInt64/int64(size) {
		return errors.New("the size is out of range")
	}
	*b = Bytes(n) * size
	return nil
}

// String returns the form with the largest binary unit that divides the number.
func (b Bytes) String() string {
	for _, u := range units[:4] {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalYAML writes a plain number without a unit, else the text form.
func (b Bytes) MarshalYAML() (any, error) {
	text := b.String()
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	return text, nil
}

// parseDigits reads a whole decimal number. YAML knows more forms (octal,
// hexadecimal, underscores), on which its parsers disagree.
func parseDigits(text string) (int64, error) {
	if text == "" || strings.Trim(text, "0123456789") != "" || (text[0] == '0' && len(text) > 1) {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(text, 10, 64)
}

// File is the path of a file that the configuration refers to; Config.Contents
// has its bytes. After Load a relative path starts at the folder of the file in
// which it stood. "" is no file.
type File string

// Dir is the path of a folder, resolved in the same way. "" is no folder.
type Dir string

// Set reads the text form; with Type and String it makes a Duration a flag.
func (d *Duration) Set(text string) error { return d.set(text) }

// Type is the name of the type in the help of a flag.
func (d *Duration) Type() string { return "duration" }

// Std is the duration in the terms of package time.
func (d Duration) Std() time.Duration { return time.Duration(d) }
