package openai

import (
	"encoding/json"
	"net/http"
	"slices"

	"weir/filter/codec"
	"weir/filter/codec/frame"
	"weir/filter/codec/strictjson"
)

// done is the data of the event that ends a stream.
const done = "[DONE]"

// decodeEvent reads one event: a chunk of the answer, an error, the end, or a comment
// that keeps the connection open.
func (c *Codec) decodeEvent(request *codec.Request, _ codec.Headers, body []byte) (*codec.Response, error) {
	data, err := frame.Data(body)
	switch {
	case err != nil:
		return nil, err
	case data == nil || string(data) == done:
		return &codec.Response{Model: request.Model, Anonymous: true, Final: data != nil}, nil
	}
	return c.decodeObject(request, data, chunkOrError)
}

// chunkOrError reads what an event holds.
func chunkOrError(r *reader) error {
	members, err := r.members("an event")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(members, func(m strictjson.Member) bool { return m.Key == "error" })
	if i < 0 {
		return r.fields("an event", members, chunkFields[r.request.Operation])
	}
	return r.At(members[i], r.failure)
}

// failure reads the error of an event: an object with a message, or a string.
func (r *reader) failure() error {
	r.response.Error = "no reason given"
	if r.Kind() == strictjson.String {
		return r.errorText()
	}
	return r.Object("an error", func(key string) error {
		if key == "message" && r.Kind() == strictjson.String {
			return r.errorText()
		}
		return r.Discard()
	})
}

func (r *reader) errorText() error {
	text, err := r.String("an error")
	if text != "" {
		r.response.Error = text
	}
	return err
}

// encodeMark writes an event that is no chunk: the end, or nothing.
func encodeMark(response *codec.Response) *codec.Message {
	if response.Final {
		return &codec.Message{Body: frame.AppendEvent(nil, []byte(done))}
	}
	return &codec.Message{}
}

// EncodeError writes an error as an event, which clients raise as one.
func (c *Codec) EncodeError(_ *codec.Request, text string) []byte {
	return frame.AppendEvent(nil, ErrorBody(text, "", http.StatusBadGateway))
}

// apiError is the object in which the API tells an error.
type apiError struct {
	Error struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	} `json:"error"`
}

// ErrorBody is the body of an error in the form that clients of the API parse. code
// is the reason, by which programs can tell errors apart, or "" for none.
func ErrorBody(message, code string, status int) []byte {
	var e apiError
	e.Error.Message, e.Error.Type = message, "invalid_request_error"
	if code != "" {
		e.Error.Code = &code
	}
	if status >= http.StatusInternalServerError {
		e.Error.Type = "server_error"
	}
	body, err := json.Marshal(e)
	if err != nil { // strings always marshal
		return []byte(`{"error":{"message":"weir"}}`)
	}
	return body
}

// ErrorText returns the message in the body of a server's error, or "". Beside the
// API's own form, servers have {"error": "…"}, {"message": "…"} and {"detail": "…"}.
func ErrorText(body []byte) string {
	var e struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  any             `json:"detail"`
	}
	if json.Unmarshal(body, &e) != nil {
		return ""
	}
	var text string
	var object struct {
		Message string `json:"message"`
	}
	switch {
	case json.Unmarshal(e.Error, &text) == nil:
		return text
	case json.Unmarshal(e.Error, &object) == nil:
		return object.Message
	}
	if detail, ok := e.Detail.(string); ok {
		return detail
	}
	return e.Message
}
