package baseline

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
	"unicode/utf8"
)

// timeKey is the one key of a sample that is not a feature.
const timeKey = "time"

// maxSeconds is the last second of the year 9999, the end of RFC 3339.
const maxSeconds = 253402300799

// Reader reads samples from JSON lines such as
//
//	{"time":12.35,"confidence":0.93,"class":"stop","entropy":0.2}
//
// A number is a numeric feature, a string a category, null a missing value.
// time is in seconds or an RFC 3339 string; either all samples have one, in the
// same form and not running backwards, or none has. Empty lines are skipped.
//
// A Reader is strict, because what it misread would become the definition of
// normal: duplicate keys, nested values, a feature that changes its kind,
// numbers beyond float64, invalid UTF-8 and lines over [MaxLineBytes] are errors
// that name the line. After an error a Reader is not to be used again.
type Reader struct {
	src  *bufio.Reader
	line int
	// kinds has the kind of every feature seen so far.
	kinds    map[string]Kind
	samples  int
	timeForm timeForm
	last     time.Time
}

type timeForm uint8

const (
	untimed timeForm = iota
	inSeconds
	rfc3339
)

func (f timeForm) String() string {
	return [...]string{"absent", "a number of seconds", "an RFC 3339 string"}[f]
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader {
	return &Reader{src: bufio.NewReaderSize(r, MaxLineBytes), kinds: make(map[string]Kind)}
}

// Line returns the number of the line that Next read last, beginning with one.
func (r *Reader) Line() int { return r.line }

// LineError is a line that cannot be read as a sample.
type LineError struct {
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong with the line.
func (e *LineError) Unwrap() error { return e.Err }

// Next returns the next sample, or io.EOF after the last. The sample belongs to
// the caller. Other errors are of type *LineError.
func (r *Reader) Next() (Sample, error) {
	line, err := r.nextLine()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return Sample{}, io.EOF
		}
		return Sample{}, &LineError{r.line, err}
	}
	sample, err := r.parse(line)
	if err != nil {
		return Sample{}, &LineError{r.line, err}
	}
	r.samples++
	return sample, nil
}

// nextLine returns the next line that is not empty; the bytes are valid until
// the next call.
func (r *Reader) nextLine() ([]byte, error) {
	for {
		r.line++
		line, err := r.src.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("longer than %d bytes", MaxLineBytes)
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}

func (r *Reader) parse(line []byte) (Sample, error) {
	if !utf8.Valid(line) {
		return Sample{}, errors.New("not valid UTF-8")
	}
	sample := Sample{Values: make(map[string]Value)}
	form := untimed
	err := eachMember(line, func(key string, token json.Token) (err error) {
		if key == timeKey {
			if form != untimed {
				return fmt.Errorf("duplicate key %q", key)
			}
			sample.Time, form, err = parseTime(token)
			return err
		}
		if _, ok := sample.Values[key]; ok {
			return fmt.Errorf("duplicate key %q", key)
		}
		sample.Values[key], err = r.parseValue(key, token)
		return err
	})
	if err != nil {
		return Sample{}, err
	}
	return sample, r.checkTime(sample.Time, form)
}

// eachMember calls visit for every member of the flat JSON object in line.
func eachMember(line []byte, visit func(key string, value json.Token) error) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if token, err := dec.Token(); err != nil {
		return fmt.Errorf("not a JSON object: %w", unexpectedEOF(err))
	} else if token != json.Delim('{') {
		return fmt.Errorf("not a JSON object but %v", token)
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return fmt.Errorf("broken JSON: %w", unexpectedEOF(err))
		}
		value, err := dec.Token()
		if err != nil {
			return fmt.Errorf("broken JSON: %w", unexpectedEOF(err))
		}
		if err := visit(key.(string), value); err != nil { // a key is a string, or Token fails
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("broken JSON: %w", unexpectedEOF(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("data after the JSON object")
	}
	return nil
}

// unexpectedEOF keeps the end of a line from being taken for the end of input.
func unexpectedEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func parseTime(token json.Token) (time.Time, timeForm, error) {
	switch v := token.(type) {
	case json.Number:
		s, err := v.Float64()
		if err != nil || math.Abs(s) > maxSeconds {
			return time.Time{}, untimed, fmt.Errorf("time %s is out of range", v)
		}
		whole := math.Floor(s)
		return time.Unix(int64(whole), int64(math.Round((s-whole)*1e9))).UTC(), inSeconds, nil
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			return time.Time{}, untimed, fmt.Errorf("time %q is not RFC 3339", v)
		}
		return t.UTC(), rfc3339, nil
	}
	return time.Time{}, untimed, errors.New("time is neither seconds nor an RFC 3339 string")
}

func (r *Reader) parseValue(name string, token json.Token) (Value, error) {
	var value Value
	switch v := token.(type) {
	case nil:
		return Value{}, checkName("feature", name)
	case json.Number:
		x, err := v.Float64()
		if err != nil {
			return Value{}, fmt.Errorf("feature %q: %s is not a finite number", name, v)
		}
		value = Number(x)
	case string:
		if err := checkName("category", v); err != nil {
			return Value{}, fmt.Errorf("feature %q: %w", name, err)
		}
		value = Name(v)
	default:
		return Value{}, fmt.Errorf("feature %q is neither a number nor a string", name)
	}
	return value, r.checkKind(name, value.kind)
}

func (r *Reader) checkKind(name string, kind Kind) error {
	known, ok := r.kinds[name]
	if ok && known != kind {
		return fmt.Errorf("feature %q is %s here and was %s before", name, kind, known)
	}
	if ok {
		return nil
	}
	if err := checkName("feature", name); err != nil {
		return err
	}
	if len(r.kinds) == MaxFeatures {
		return fmt.Errorf("more than %d features", MaxFeatures)
	}
	r.kinds[name] = kind
	return nil
}

func checkName(what, name string) error {
	if name == "" {
		return fmt.Errorf("%s with an empty name", what)
	}
	if len(name) > MaxNameBytes {
		return fmt.Errorf("%s with a name longer than %d bytes", what, MaxNameBytes)
	}
	return nil
}

func (r *Reader) checkTime(t time.Time, form timeForm) error {
	if r.samples > 0 && form != r.timeForm {
		return fmt.Errorf("time is %s here and was %s before", form, r.timeForm)
	}
	if form != untimed && r.samples > 0 && t.Before(r.last) {
		return fmt.Errorf("time runs backwards, from %s to %s",
			r.last.Format(time.RFC3339Nano), t.Format(time.RFC3339Nano))
	}
	r.timeForm, r.last = form, t
	return nil
}
