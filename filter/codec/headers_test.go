package codec_test

import (
	"errors"
	"fmt"
	"testing"

	"weir/filter/codec"
)

func reasonOf(err error) codec.Reason {
	var refusal *codec.Refusal
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	return ""
}

func TestCheckLength(t *testing.T) {
	for _, test := range []struct {
		values []string
		want   codec.Reason
	}{
		{nil, ""},
		{[]string{"4"}, ""},
		{[]string{"04"}, ""},
		{[]string{"3"}, codec.HeaderInvalid},
		{[]string{"5"}, codec.HeaderInvalid},
		{[]string{""}, codec.HeaderInvalid},
		{[]string{"+4"}, codec.HeaderInvalid},
		{[]string{" 4"}, codec.HeaderInvalid},
		{[]string{"4, 4"}, codec.HeaderInvalid},
		{[]string{"18446744073709551620"}, codec.HeaderInvalid}, // 4 in 64 bits
		{[]string{"4", "4"}, codec.HeaderDuplicate},
	} {
		headers := codec.Headers{{Name: "content-type", Value: "x"}}
		for _, value := range test.values {
			headers = append(headers, codec.Header{Name: "content-length", Value: value})
		}
		if err := headers.CheckLength([]byte("body")); reasonOf(err) != test.want || (err == nil) != (test.want == "") {
			t.Errorf("%q: %v, want %q", test.values, err, test.want)
		}
	}
}

func TestRefuseAnswer(t *testing.T) {
	large := fmt.Errorf("wrapped: %w", codec.Refuse(codec.JSONTooLarge, "a number is long"))
	for _, test := range []struct {
		err  error
		want string
	}{
		{large, "response_too_large: the model server's answer: a number is long"},
		{codec.Refuse(codec.JSONMalformed, "it ends"), "response_malformed: the model server's answer: it ends"},
		{errors.New("other"), "response_malformed: other"},
	} {
		if got := codec.RefuseAnswer(test.err, codec.JSONTooLarge).Error(); got != test.want {
			t.Errorf("%v became %q, want %q", test.err, got, test.want)
		}
	}
}
