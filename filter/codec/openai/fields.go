package openai

import (
	"slices"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
)

// field is one key that an object may have.
type field struct {
	key  string
	read read
	flags
}

// flags say what is special about a field.
type flags uint8

const (
	required flags = 1 << iota
	nullable       // null is written as it is; that of others, in a request, is left out
	gated          // a parameter that the rules of the model must allow
)

func (f flags) has(flag flags) bool { return f&flag != 0 }

// maxKeys is the number of keys of an object: more than any table has.
const maxKeys = 64

// object reads an object that has these fields.
func object(what string, fields []field) read {
	return func(r *reader) error {
		members, err := r.members(what)
		if err != nil {
			return err
		}
		return r.fields(what, members, fields)
	}
}

func (r *reader) members(what string) ([]strictjson.Member, error) {
	if r.Kind() != strictjson.Object {
		r.key = what
		return nil, r.wrong("an object")
	}
	if r.response != nil {
		return r.Members(what, 1024, codec.JSONTooLarge)
	}
	return r.Members(what, maxKeys, codec.JSONUnknownKey)
}

// tagged reads an object whose key tag says which fields it has.
func tagged(what, tag string, variants map[string][]field) read {
	return func(r *reader) error {
		members, err := r.members(what)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(members, func(m strictjson.Member) bool { return m.Key == tag })
		if i < 0 {
			return codec.Refuse(codec.ParameterInvalid, "%s of %s is missing", tag, what)
		}
		value := ""
		err = r.At(members[i], func() error {
			if r.Kind() != strictjson.String {
				return codec.Refuse(codec.ParameterInvalid, "%s of %s must be a string", tag, what)
			}
			value, err = r.String(tag)
			return err
		})
		if err != nil {
			return err
		}
		fields, ok := variants[value]
		if !ok {
			return codec.Refuse(codec.ParameterInvalid, "%s of %s is none that is known here", tag, what)
		}
		return r.fields(what, members, append([]field{{tag, oneOf(value), required}}, fields...))
	}
}

// fields reads the members of an object in the order of its fields.
func (r *reader) fields(what string, members []strictjson.Member, fields []field) error {
	for _, m := range members {
		if slices.ContainsFunc(fields, func(f field) bool { return f.key == m.Key }) {
			continue
		}
		if r.response == nil {
			return codec.Refuse(codec.JSONUnknownKey, "a key of %s is not one of the OpenAI API", what)
		}
		if err := r.At(m, r.Discard); err != nil {
			return err
		}
	}
	r.put("{")
	first := true
	for _, f := range fields {
		i := slices.IndexFunc(members, func(m strictjson.Member) bool { return m.Key == f.key })
		present := i >= 0
		if present {
			err := r.At(members[i], func() (err error) {
				r.key = f.key
				present, err = r.member(f, &first)
				return err
			})
			if err != nil {
				return err
			}
		}
		if !present && f.has(required) {
			return codec.Refuse(codec.ParameterInvalid, "%s of %s is missing", f.key, what)
		}
	}
	r.put("}")
	return nil
}

// member reads the value of a field; present is false if it is null.
func (r *reader) member(f field, first *bool) (present bool, err error) {
	null := r.Kind() == strictjson.Null && r.Null()
	keep := f.has(nullable) || r.response != nil && !f.has(required)
	if null && !keep {
		return false, nil
	}
	if !*first {
		r.put(",")
	}
	*first = false
	r.putName(f.key)
	r.put(":")
	if null {
		r.put("null")
		return true, nil
	}
	if f.has(gated) {
		r.request.Parameters = append(r.request.Parameters, codec.Parameter{Name: f.key})
	}
	return true, f.read(r)
}

// either reads a value by its kind.
func either(what string, kinds map[strictjson.Kind]read) read {
	return func(r *reader) error {
		if read := kinds[r.Kind()]; read != nil {
			return read(r)
		}
		return r.wrong("%s", what)
	}
}

// closed refuses what is of the API but not let through.
func closed(r *reader) error {
	return codec.Refuse(codec.FeatureNotEnabled, "%s is not let through", r.key)
}
