package codec

import (
	"errors"
	"fmt"
	"slices"
)

// Reason is a code of the closed list of causes for which a message is refused.
type Reason string

// The reasons of this package and of the codecs.
const (
	RouteUnknown        Reason = "route_unknown"        // no such endpoint
	RouteDenied         Reason = "route_denied"         // a known endpoint that Weir keeps closed
	ProtocolNotEnabled  Reason = "protocol_not_enabled" // gRPC, generate, …: not let through yet
	MethodNotAllowed    Reason = "method_not_allowed"
	PathInvalid         Reason = "path_invalid"
	HeaderDuplicate     Reason = "header_duplicate"
	HeaderInvalid       Reason = "header_invalid"
	EncodingUnsupported Reason = "encoding_unsupported" // content-encoding other than gzip, deflate, identity
	EncodingInvalid     Reason = "encoding_invalid"     // does not inflate strictly
	BodyTooLarge        Reason = "body_too_large"       // also after inflating
	BodyMissing         Reason = "body_missing"
	JSONMalformed       Reason = "json_malformed"
	JSONDuplicateKey    Reason = "json_duplicate_key"
	JSONUnknownKey      Reason = "json_unknown_key"
	JSONTooDeep         Reason = "json_too_deep"
	JSONTooLarge        Reason = "json_too_large"    // JSON header or token over its limit
	MessageMalformed    Reason = "message_malformed" // gRPC: the framing or the protobuf
	NameInvalid         Reason = "name_invalid"
	InputDuplicate      Reason = "input_duplicate"
	InputDataInvalid    Reason = "input_data_invalid" // data against datatype and shape
	InputsTooMany       Reason = "inputs_too_many"
	OutputDuplicate     Reason = "output_duplicate"
	OutputsTooMany      Reason = "outputs_too_many"
	DataTypeInvalid     Reason = "datatype_invalid"
	ShapeInvalid        Reason = "shape_invalid"
	NumberOutOfRange    Reason = "number_out_of_range"
	BinarySizeInvalid   Reason = "binary_size_invalid"
	ParameterInvalid    Reason = "parameter_invalid"
	SharedMemoryDenied  Reason = "shared_memory_denied"
	RemoteContentDenied Reason = "remote_content_denied" // the server would fetch what nobody inspects
	FeatureNotEnabled   Reason = "feature_not_enabled"   // classification, of a model server that has none
	SignatureMismatch   Reason = "signature_mismatch"    // not what the model server says of the model
	ResponseMalformed   Reason = "response_malformed"
	ResponseTooLarge    Reason = "response_too_large"
)

// Reasons lists the closed list of this package.
func Reasons() []Reason {
	return []Reason{RouteUnknown, RouteDenied, ProtocolNotEnabled, MethodNotAllowed, PathInvalid,
		HeaderDuplicate, HeaderInvalid, EncodingUnsupported, EncodingInvalid, BodyTooLarge, BodyMissing,
		JSONMalformed, JSONDuplicateKey, JSONUnknownKey, JSONTooDeep, JSONTooLarge, MessageMalformed, NameInvalid,
		InputDuplicate, InputDataInvalid, InputsTooMany, OutputDuplicate, OutputsTooMany,
		DataTypeInvalid, ShapeInvalid, NumberOutOfRange, BinarySizeInvalid, ParameterInvalid,
		SharedMemoryDenied, RemoteContentDenied, FeatureNotEnabled, SignatureMismatch, ResponseMalformed, ResponseTooLarge}
}

// Refusal is the error of a message that is not let through.
type Refusal struct {
	Reason Reason
	Detail string // a sentence for the client; never holds contents
}

// Error returns the reason and the detail.
func (r *Refusal) Error() string { return string(r.Reason) + ": " + r.Detail }

// Refuse returns a Refusal with a formatted detail.
func Refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// RefuseAnswer says whose fault a refusal of the model server's answer is, and keeps its
// detail. The reason is ResponseTooLarge in place of those in large, else
// ResponseMalformed.
func RefuseAnswer(err error, large ...Reason) *Refusal {
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return Refuse(ResponseMalformed, "%v", err)
	}
	reason := ResponseMalformed
	if slices.Contains(large, refusal.Reason) {
		reason = ResponseTooLarge
	}
	return Refuse(reason, "the model server's answer: %s", refusal.Detail)
}
