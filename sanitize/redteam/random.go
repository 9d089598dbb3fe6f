package redteam

import (
	"hash/fnv"
	"math"
)

// stream draws numbers: SplitMix64 (Steele, Lea and Flood 2014). It is written out
// here because weights of poisoned models are kept that were trained with its draws;
// those of math/rand may change with the release of Go.
type stream struct{ state uint64 }

// newStream returns the stream of a label and a number.
func newStream(label string, n uint64) *stream {
	h := fnv.New64a()
	h.Write([]byte(label))
	s := &stream{h.Sum64()}
	s.state = s.next() + n*0x9e3779b97f4a7c15
	s.next()
	return s
}

func (s *stream) next() uint64 {
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// float draws evenly from 0 to below 1.
func (s *stream) float() float64 { return float64(s.next()>>11) / (1 << 53) }

// below draws evenly from 0 to below n; 0 if n is not positive.
func (s *stream) below(n int) int { return min(int(s.float()*float64(max(0, n))), max(0, n-1)) }

// normal draws from the standard normal distribution (Box and Muller 1958).
func (s *stream) normal() float64 {
	radius := math.Sqrt(-2 * math.Log(1-s.float()))
	return radius * math.Cos(2*math.Pi*s.float())
}
