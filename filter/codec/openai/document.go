package openai

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"

	"weir/filter/codec"
	"weir/filter/codec/strictjson"
	"weir/sanitize/tensor"
)

// document is a message in its canonical form, without its content: where content
// stood it has holes, for the elements of the inputs or outputs in order.
type document struct {
	skeleton []byte
	holes    []hole
}

// hole is a place of content. The zero value is one of text.
type hole struct {
	at   int // index in the skeleton
	kind holeKind
	// within says that the hole is in JSON that stands in a string.
	within bool
	// count is the number of tokens, or for a key the number of its object.
	count int
}

type holeKind uint8

const (
	textHole   holeKind = iota
	keyHole             // a text that is the key of an object
	imageHole           // a data: URI
	audioHole           // base64
	tokensHole          // numbers with commas
)

var errElements = errors.New("there are fewer or more elements than the message has places for")

// fill writes the message with these elements.
func (d *document) fill(tensors []tensor.Tensor, most int) ([]byte, error) {
	f := filling{keys: map[objectKey]bool{}, elements: make(map[string]*elements, len(tensors))}
	size := len(d.skeleton)
	for i := range tensors {
		t := &tensors[i]
		f.elements[t.Name] = &elements{t.Data}
		size += len(t.Data) + len(t.Data)/2 // base64 takes 4/3
	}
	f.out = make([]byte, 0, min(size, most)+len(d.holes))
	from := 0
	for _, h := range d.holes {
		f.out = append(f.out, d.skeleton[from:h.at]...)
		from = h.at
		if err := f.hole(h); err != nil {
			return nil, err
		}
		if len(f.out) > most {
			break
		}
	}
	f.out = append(f.out, d.skeleton[from:]...)
	if len(f.out) > most {
		return nil, codec.Refuse(codec.BodyTooLarge, "the message has more than %d bytes in canonical form", most)
	}
	for _, e := range f.elements {
		if len(e.left) > 0 {
			return nil, errElements
		}
	}
	return f.out, nil
}

// filling is the state of fill.
type filling struct {
	out      []byte
	elements map[string]*elements
	keys     map[objectKey]bool
}

type objectKey struct {
	object int
	key    string
}

func (f *filling) hole(h hole) error {
	switch h.kind {
	case imageHole:
		return f.image()
	case audioHole:
		file, err := f.elements[Audio].next()
		f.out = append(base64.StdEncoding.AppendEncode(append(f.out, '"'), file), '"')
		return err
	case tokensHole:
		return f.tokens(h.count)
	}
	text, err := f.elements[Text].next()
	if err != nil {
		return err
	}
	if h.kind == keyHole {
		key := objectKey{h.count, string(text)}
		if f.keys[key] {
			return codec.Refuse(codec.JSONDuplicateKey, "two keys of an object are the same once they are sanitised")
		}
		f.keys[key] = true
	}
	if h.within {
		f.out = strictjson.AppendEscaped(f.out, strictjson.AppendString(nil, text))
	} else {
		f.out = strictjson.AppendString(f.out, text)
	}
	return nil
}

// image writes a file as a data: URI.
func (f *filling) image() error {
	file, err := f.elements[Image].next()
	if err != nil {
		return err
	}
	f.out, err = codec.AppendImageURI(append(f.out, '"'), file)
	f.out = append(f.out, '"')
	return err
}

func (f *filling) tokens(count int) error {
	e := f.elements[Tokens]
	if e == nil || len(e.left) < 8*count {
		return errElements
	}
	for i := range count {
		if i > 0 {
			f.out = append(f.out, ',')
		}
		f.out = strconv.AppendInt(f.out, int64(binary.LittleEndian.Uint64(e.left[8*i:])), 10)
	}
	e.left = e.left[8*count:]
	return nil
}

// elements are what is left of the elements of a tensor. A nil one has none.
type elements struct{ left []byte }

// next returns the next BYTES element, a view.
func (e *elements) next() ([]byte, error) {
	if e == nil || len(e.left) < 4 {
		return nil, errElements
	}
	size := int64(binary.LittleEndian.Uint32(e.left))
	if size > int64(len(e.left)-4) {
		return nil, errElements
	}
	element := e.left[4 : 4+size]
	e.left = e.left[4+size:]
	return element, nil
}
