package monitor

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"weir/monitor/baseline"
)

// Sample is one row of one response of a model.
type Sample struct {
	Model   string
	Version string
	// Time is when the response was seen; Observe fills in a zero time.
	Time time.Time
	// Confidence is the probability of the predicted class, Entropy the
	// normalised entropy of all; NaN is a missing value. See [Confidence].
	Confidence float64
	Entropy    float64
	// Class is the predicted class. A class that is empty, not UTF-8 or longer
	// than baseline.MaxNameBytes is a missing value.
	Class string
	// Trace is the W3C traceparent of the request's span, or empty. An alarm
	// names the last of them; they are no part of what is recorded.
	Trace string
}

// The features of a Sample, as a baseline names them.
const (
	confidenceFeature = "confidence"
	entropyFeature    = "entropy"
	classFeature      = "class"
)

// featureKinds are the features that a baseline may have to be used here.
var featureKinds = map[string]baseline.Kind{
	confidenceFeature: baseline.Numeric,
	entropyFeature:    baseline.Numeric,
	classFeature:      baseline.Category,
}

// value returns the feature of the given name.
func (s *Sample) value(feature string) baseline.Value {
	switch feature {
	case confidenceFeature:
		return baseline.Number(s.Confidence)
	case entropyFeature:
		return baseline.Number(s.Entropy)
	case classFeature:
		if s.hasClass() {
			return baseline.Name(s.Class)
		}
	}
	return baseline.Value{}
}

func (s *Sample) hasClass() bool {
	return s.Class != "" && len(s.Class) <= baseline.MaxNameBytes && utf8.ValidString(s.Class)
}

// AppendJSON appends s to dst as the line, with its newline, that
// baseline.Reader reads: time, confidence, entropy and class, in this order.
// Missing values are null.
func (s *Sample) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"time":"`...)
	dst = s.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","confidence":`...)
	dst = appendNumber(dst, s.Confidence)
	dst = append(dst, `,"entropy":`...)
	dst = appendNumber(dst, s.Entropy)
	dst = append(dst, `,"class":`...)
	if s.hasClass() {
		class, _ := json.Marshal(s.Class) // a string has no error
		dst = append(dst, class...)
	} else {
		dst = append(dst, "null"...)
	}
	return append(dst, '}', '\n')
}

func appendNumber(dst []byte, x float64) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(dst, "null"...)
	}
	return strconv.AppendFloat(dst, x, 'g', -1, 64)
}

// Confidence returns what a Sample has of a vector of class probabilities: the
// largest, the entropy -Σ p·ln p divided by its maximum ln(len(p)), from 0
// (certain) to 1 (uniform), and the index of the largest, the lowest of equals.
// The entropy of a single class is 0. When p is empty or an element is negative,
// NaN or infinite it returns NaN, NaN and -1.
func Confidence[T ~float32 | ~float64](p []T) (confidence, entropy float64, class int) {
	class = -1
	for i, v := range p {
		x := float64(v)
		if !(x >= 0) || math.IsInf(x, 0) {
			return math.NaN(), math.NaN(), -1
		}
		if class < 0 || x > confidence {
			confidence, class = x, i
		}
		if x > 0 {
			entropy -= x * math.Log(x)
		}
	}
	switch len(p) {
	case 0:
		return math.NaN(), math.NaN(), -1
	case 1:
		return confidence, 0, class
	}
	return confidence, entropy / math.Log(float64(len(p))), class
}
