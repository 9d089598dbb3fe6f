package upload

import (
	"weir/filter/codec"
	"weir/filter/codec/strictjson"
)

// DecodeResponse reads an answer strictly: JSON of any shape. All reasons are
// ResponseMalformed or ResponseTooLarge.
func (c *Codec) DecodeResponse(request *codec.Request, headers codec.Headers, body []byte) (*codec.Response, error) {
	if len(body) > c.limits.MaxResponseBytes {
		return nil, codec.Refuse(codec.ResponseTooLarge, "the answer has more than %d bytes", c.limits.MaxResponseBytes)
	}
	canonical, err := c.canonical(headers, body)
	if err != nil {
		return nil, codec.RefuseAnswer(err)
	}
	return &codec.Response{Model: request.Model, Anonymous: true, Final: true, Extra: canonical}, nil
}

func (c *Codec) canonical(headers codec.Headers, body []byte) ([]byte, error) {
	if err := headers.CheckLength(body); err != nil {
		return nil, err
	}
	if coding, lines := headers.Get("content-encoding"); lines > 0 && coding != string(codec.Identity) {
		return nil, codec.Refuse(codec.EncodingUnsupported, "it has a content coding that was not asked for")
	}
	w := writer{Scanner: strictjson.New(body, c.limits.MaxJSONDepth), out: make([]byte, 0, len(body))}
	if err := w.value(); err != nil {
		return nil, err
	}
	return w.out, w.End()
}

// EncodeResponse writes an answer as it was read.
func (c *Codec) EncodeResponse(_ *codec.Request, response *codec.Response) (*codec.Message, error) {
	return codec.JSONMessage(response.Extra.([]byte)), nil
}

// writer reads a document and writes its canonical form, which is never longer: without
// white space, strings in one spelling, numbers as they stand.
type writer struct {
	strictjson.Scanner
	out []byte
}

func (w *writer) value() error {
	switch w.Kind() {
	case strictjson.Object:
		return w.object()
	case strictjson.Array:
		return w.array()
	case strictjson.String:
		text, err := w.View("a string")
		w.out = strictjson.AppendString(w.out, text)
		return err
	case strictjson.Number:
		token, err := w.Number()
		w.out = append(w.out, token...)
		return err
	case strictjson.Null:
		if w.Null() {
			w.out = append(w.out, "null"...)
			return nil
		}
	}
	value, err := w.Bool("a value")
	if value {
		w.out = append(w.out, "true"...)
	} else {
		w.out = append(w.out, "false"...)
	}
	return err
}

func (w *writer) object() error {
	w.out = append(w.out, '{')
	first := true
	err := w.Object("an object", func(key string) error {
		if !first {
			w.out = append(w.out, ',')
		}
		first = false
		w.out = append(strictjson.AppendString(w.out, key), ':')
		return w.value()
	})
	w.out = append(w.out, '}')
	return err
}

func (w *writer) array() error {
	w.out = append(w.out, '[')
	err := w.Array("an array", func(i int) error {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		return w.value()
	})
	w.out = append(w.out, ']')
	return err
}
