package kserve

import (
	"strconv"
	"strings"

	"weir/filter/codec"
)

// The header that says where the JSON ends and binary tensors begin
// (extension_binary_data.md).
const headerLengthName = "inference-header-content-length"

// contentCoding returns the coding of a body.
func contentCoding(headers codec.Headers) (codec.Coding, error) {
	return coding(headers, "content-encoding")
}

// coding returns the coding that a header names: exactly one of Triton's names,
// case-sensitive, on one line. Without the header it is Identity.
func coding(headers codec.Headers, name string) (codec.Coding, error) {
	value, ok, err := headers.Single(name)
	if err != nil || !ok {
		return codec.Identity, err
	}
	switch coding := codec.Coding(value); coding {
	case codec.Identity, codec.Gzip, codec.Deflate:
		return coding, nil
	}
	return "", codec.Refuse(codec.EncodingUnsupported, "%s must be gzip, deflate or identity", name)
}

// acceptedCoding chooses the coding of the answer as Triton does: the one of
// identity, deflate and gzip that has the highest weight, the first of equal
// ones; identity if there is none. Other codings and "*" do not count.
func acceptedCoding(headers codec.Headers) codec.Coding {
	chosen, highest := codec.Identity, 0.0
	for i := range headers {
		if headers[i].Name != "accept-encoding" {
			continue
		}
		for item := range strings.SplitSeq(headers[i].Value, ",") {
			coding, weight := weighted(item)
			if weight > highest {
				chosen, highest = coding, weight
			}
		}
	}
	return chosen
}

// weighted reads one item of accept-encoding (RFC 9110 §12.5.3). The weight is 0
// for what is unknown or malformed.
func weighted(item string) (codec.Coding, float64) {
	name, parameter, hasWeight := strings.Cut(item, ";")
	coding := codec.Coding(strings.ToLower(strings.Trim(name, " \t")))
	if coding != codec.Identity && coding != codec.Gzip && coding != codec.Deflate {
		return "", 0
	}
	if !hasWeight {
		return coding, 1
	}
	value, ok := strings.CutPrefix(strings.ToLower(strings.Trim(parameter, " \t")), "q=")
	weight, err := strconv.ParseFloat(value, 64)
	if !ok || err != nil || len(value) > len("0.000") || !(weight >= 0 && weight <= 1) {
		return "", 0
	}
	return coding, weight
}
