package codec

import "strconv"

// Single returns the value of a header that may stand once; ok is false if it is
// absent.
func (h Headers) Single(name string) (value string, ok bool, err error) {
	value, lines := h.Get(name)
	if lines > 1 {
		return "", false, Refuse(HeaderDuplicate, "%s stands %d times", name, lines)
	}
	return value, lines == 1, nil
}

// Length reads a header that is a number of bytes, 1*DIGIT; ok is false if it is
// absent. most is what it may say at most.
func (h Headers) Length(name string, most int) (n int, ok bool, err error) {
	value, ok, err := h.Single(name)
	if err != nil || !ok {
		return 0, false, err
	}
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return 0, false, Refuse(HeaderInvalid, "%s is not a decimal number", name)
		}
	}
	n, err = strconv.Atoi(value)
	if err != nil || n > most {
		return 0, false, Refuse(HeaderInvalid, "%s is empty or more than the body holds", name)
	}
	return n, true, nil
}

// CheckLength checks that a body is as long as its headers say, if they do: it reaches
// a codec whole, so another length means that somebody on the way read it differently.
func (h Headers) CheckLength(body []byte) error {
	n, ok, err := h.Length("content-length", len(body))
	if err != nil {
		return err
	}
	if ok && n != len(body) {
		return Refuse(HeaderInvalid, "content-length is not the length of the body")
	}
	return nil
}
