package kserve

import (
	"encoding/binary"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"weir/filter/codec"
)

// Parsers of protobuf forgive much that is not in the simplest form, and not in
// one way: of a field that comes twice the last counts, or both are merged; bits
// beyond the width of a number are dropped; unknown fields are kept or not. What is
// accepted here has none of that, and so has one meaning for all of them.

// form is how a field of a message may be written.
type form uint8

const (
	oneText     form = 1 + iota // a string in UTF-8
	oneMessage                  // a message
	oneVarint                   // a number
	oneFixed64                  // a number
	manyBytes                   // messages or bytes
	manyVarints                 // numbers, packed or not
	manyFixed32                 // likewise
	manyFixed64                 // likewise
)

// wireTypes are those in which one element of each form is written.
var wireTypes = [...]protowire.Type{oneText: protowire.BytesType, oneMessage: protowire.BytesType,
	oneVarint: protowire.VarintType, oneFixed64: protowire.Fixed64Type, manyBytes: protowire.BytesType,
	manyVarints: protowire.VarintType, manyFixed32: protowire.Fixed32Type, manyFixed64: protowire.Fixed64Type}

// schema holds the form of each field of a message type by its number; 0: there is
// no such field.
type schema []form

// field is one field of a message as it came.
type field struct {
	number uint64
	scalar uint64 // the value of one number
	packed bool   // bytes holds any number of numbers
	bytes  []byte // a view into the message
}

func malformed(what string) error {
	return codec.Refuse(codec.MessageMalformed, "the protobuf holds %s", what)
}

// walk calls f for each field of a message in its order, until there is an error.
func (s schema) walk(source []byte, f func(field) error) error {
	var seen uint64 // a bit for each field that came and may come once
	for len(source) > 0 {
		next, rest, err := s.cutField(source)
		if err != nil {
			return err
		}
		if bit := uint64(1) << next.number; s[next.number] < manyBytes {
			if seen&bit != 0 {
				return malformed("a field twice that may come once")
			}
			seen |= bit
		}
		if err := f(next); err != nil {
			return err
		}
		source = rest
	}
	return nil
}

// cutField reads the first field of a message.
func (s schema) cutField(source []byte) (f field, rest []byte, err error) {
	tag, source, err := cutVarint(source)
	if err != nil {
		return f, nil, err
	}
	f.number = tag >> 3
	if f.number >= uint64(len(s)) || s[f.number] == 0 {
		return f, nil, malformed("a field that the protocol does not know")
	}
	wire, want := protowire.Type(tag&7), s[f.number]
	f.packed = wire == protowire.BytesType && want > manyBytes
	if wire != wireTypes[want] && !f.packed {
		return f, nil, malformed("a field of another type")
	}
	switch wire {
	case protowire.VarintType, protowire.Fixed32Type, protowire.Fixed64Type:
		f.scalar, rest, err = cutNumber(wire, source)
	default:
		f.bytes, rest, err = cutBytes(source)
	}
	if err == nil && want == oneText && !utf8.Valid(f.bytes) {
		err = malformed("a string that is not UTF-8")
	}
	return f, rest, err
}

// cutVarint reads a varint in its shortest form.
func cutVarint(source []byte) (value uint64, rest []byte, err error) {
	if len(source) > 0 && source[0] < 0x80 {
		return uint64(source[0]), source[1:], nil
	}
	value, n := protowire.ConsumeVarint(source)
	if n < 0 || source[n-1] == 0 {
		return 0, nil, malformed("a varint that is cut short or longer than it need be")
	}
	return value, source[n:], nil
}

// cutNumber reads a number of a wire type.
func cutNumber(wire protowire.Type, source []byte) (value uint64, rest []byte, err error) {
	switch {
	case wire == protowire.VarintType:
		return cutVarint(source)
	case wire == protowire.Fixed32Type && len(source) >= 4:
		return uint64(binary.LittleEndian.Uint32(source)), source[4:], nil
	case wire == protowire.Fixed64Type && len(source) >= 8:
		return binary.LittleEndian.Uint64(source), source[8:], nil
	}
	return 0, nil, malformed("a number that is cut short")
}

// cutBytes reads bytes after their length.
func cutBytes(source []byte) (value, rest []byte, err error) {
	size, source, err := cutVarint(source)
	if err != nil {
		return nil, nil, err
	}
	if size > uint64(len(source)) {
		return nil, nil, malformed("a field that runs past the end")
	}
	return source[:size:size], source[size:], nil
}

// numbers calls f for each number of a field that the schema gives this wire type.
func (f *field) numbers(wire protowire.Type, add func(uint64) error) error {
	if !f.packed {
		return add(f.scalar)
	}
	for source := f.bytes; len(source) > 0; {
		value, rest, err := cutNumber(wire, source)
		if err != nil {
			return err
		}
		if err := add(value); err != nil {
			return err
		}
		source = rest
	}
	return nil
}

// appendText appends a string field, unless it is empty: it is absent then.
func appendText(w []byte, number protowire.Number, value string) []byte {
	if value == "" {
		return w
	}
	return protowire.AppendString(protowire.AppendTag(w, number, protowire.BytesType), value)
}

// appendMessage appends a field that holds a message.
func appendMessage(w []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(w, number, protowire.BytesType), value)
}

// appendVarint appends a field that holds one varint, also if it is 0.
func appendVarint(w []byte, number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(w, number, protowire.VarintType), value)
}
