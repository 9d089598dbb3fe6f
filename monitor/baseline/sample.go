package baseline

import (
	"math"
	"time"
)

// Kind is what the values of a feature are.
type Kind string

// The kinds of a feature. A Value of no kind is missing.
const (
	Missing  Kind = ""
	Numeric  Kind = "numeric"
	Category Kind = "category"
)

// Value is a number, a category or, as the zero value, missing.
type Value struct {
	kind     Kind
	number   float64
	category string
}

// Number returns the value x, which is missing when x is NaN.
func Number(x float64) Value {
	if math.IsNaN(x) {
		return Value{}
	}
	return Value{kind: Numeric, number: x}
}

// Name returns the category s.
func Name(s string) Value { return Value{kind: Category, category: s} }

// Kind returns what v is.
func (v Value) Kind() Kind { return v.kind }

// Sample is the features of one row of one response.
type Sample struct {
	// Time is when the row was seen, or the zero time when that is not known.
	Time time.Time
	// Values by the name of the feature. A feature that is absent is missing.
	Values map[string]Value
}
