package filter

import (
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize"
)

// Reason is a code of the closed list of causes for which Weir refuses or marks
// an exchange: those of sanitize, codec and policy, and the filter's own.
type Reason string

// The filter's own reasons.
const (
	UpstreamNotReady   Reason = "upstream_not_ready"
	UpstreamError      Reason = "upstream_error"
	UpstreamMissing    Reason = "upstream_unreachable"
	UpstreamTimeout    Reason = "upstream_timeout"
	Overloaded         Reason = "overloaded"
	DeadlineExceeded   Reason = "deadline_exceeded"
	BodyTimeout        Reason = "body_timeout"
	InternalError      Reason = "internal_error"
	ProxyModeUnsafe    Reason = "proxy_mode_unsafe"
	ResponseUnexpected Reason = "response_unexpected"
)

// Status is what a reason looks like to a client, and what it should do about it.
type Status struct {
	HTTP     int
	GRPC     codes.Code
	Sentence string // in the error body
	Hint     string // for whoever reads `weir config reasons`
}

const (
	bad       = http.StatusBadRequest
	forbidden = http.StatusForbidden
	large     = http.StatusRequestEntityTooLarge
	blocked   = http.StatusBadGateway
	busy      = http.StatusServiceUnavailable
)

// statuses is the one table of every reason. gRPC codes never are UNAVAILABLE,
// which clients retry.
var statuses = map[Reason]Status{
	// codec: requests
	Reason(codec.RouteUnknown):        {http.StatusNotFound, codes.Unimplemented, "no such endpoint", "Weir forwards only the endpoints that it understands."},
	Reason(codec.RouteDenied):         {forbidden, codes.PermissionDenied, "this endpoint is closed", "Control endpoints of the model server are not reachable through Weir."},
	Reason(codec.ProtocolNotEnabled):  {forbidden, codes.PermissionDenied, "this protocol is not enabled", "See upstream: in weir.yaml, grpc, openai and upload."},
	Reason(codec.MethodNotAllowed):    {http.StatusMethodNotAllowed, codes.Unimplemented, "method not allowed", "infer takes POST, files POST or PUT, health and metadata GET."},
	Reason(codec.PathInvalid):         {bad, codes.InvalidArgument, "the path is not in canonical form", "No percent-escapes, double slashes or trailing slashes."},
	Reason(codec.HeaderDuplicate):     {bad, codes.InvalidArgument, "a header came twice", "Send content-encoding, content-length and inference-header-content-length once."},
	Reason(codec.HeaderInvalid):       {bad, codes.InvalidArgument, "a header is not valid", "inference-header-content-length is a plain decimal number within the body; the OpenAI API takes content-type application/json."},
	Reason(codec.EncodingUnsupported): {http.StatusUnsupportedMediaType, codes.InvalidArgument, "content-encoding not supported", "Use identity; with KServe V2 also gzip or deflate."},
	Reason(codec.EncodingInvalid):     {bad, codes.InvalidArgument, "the body does not decompress", "One gzip member or zlib stream, complete, nothing after it."},
	Reason(codec.BodyTooLarge):        {large, codes.ResourceExhausted, "the body is too large", "limits.max_body_bytes counts as sent, decompressed, and in the binary form that the model server gets; files in rows of a fixed size must fit into them once they are sanitised."},
	Reason(codec.BodyMissing):         {bad, codes.InvalidArgument, "the body is missing", "An inference needs a body; health and metadata take none."},
	Reason(codec.JSONMalformed):       {bad, codes.InvalidArgument, "the JSON is malformed", "Strict RFC 8259 in UTF-8, one value, nothing after it."},
	Reason(codec.JSONDuplicateKey):    {bad, codes.InvalidArgument, "a JSON key came twice", "Servers disagree on which of two equal keys counts."},
	Reason(codec.JSONUnknownKey):      {bad, codes.InvalidArgument, "a JSON key is not known", "Keys are case-sensitive; see the V2 protocol or the OpenAI API."},
	Reason(codec.JSONTooDeep):         {bad, codes.InvalidArgument, "the JSON is nested too deep", "limits.max_json_depth."},
	Reason(codec.JSONTooLarge):        {large, codes.ResourceExhausted, "the JSON is too large", "Send large tensors in binary form."},
	Reason(codec.MessageMalformed):    {bad, codes.InvalidArgument, "the message is malformed", "Over gRPC: whole messages, one where one is called for; fields that the protocol knows, each once, in their shortest form. Forms: RFC 7578 in its plainest spelling, nothing before the first boundary."},
	Reason(codec.NameInvalid):         {bad, codes.InvalidArgument, "a name is not valid", "Names hold letters, digits and . _ ~ - : / only; of parts of forms, . _ - only."},
	Reason(codec.InputDuplicate):      {bad, codes.InvalidArgument, "an input came twice", "Each input once."},
	Reason(codec.InputDataInvalid):    {bad, codes.InvalidArgument, "the data of an input is not valid", "Data must be what datatype and shape say."},
	Reason(codec.InputsTooMany):       {bad, codes.InvalidArgument, "too many inputs", "limits.max_inputs."},
	Reason(codec.OutputDuplicate):     {bad, codes.InvalidArgument, "an output came twice", "Each output once."},
	Reason(codec.OutputsTooMany):      {bad, codes.InvalidArgument, "too many outputs", "limits.max_outputs."},
	Reason(codec.DataTypeInvalid):     {bad, codes.InvalidArgument, "a datatype is not valid", "V2 datatypes; FP16 and BF16 in binary form only."},
	Reason(codec.ShapeInvalid):        {bad, codes.InvalidArgument, "a shape is not valid", "limits.max_rank, limits.max_elements."},
	Reason(codec.NumberOutOfRange):    {bad, codes.InvalidArgument, "a number does not fit its datatype", "The server would truncate it in silence."},
	Reason(codec.BinarySizeInvalid):   {bad, codes.InvalidArgument, "binary sizes do not add up", "binary_data_size of all inputs must be the rest of the body."},
	Reason(codec.ParameterInvalid):    {bad, codes.InvalidArgument, "a parameter is not valid", "Strings, numbers and booleans that the protocol knows."},
	Reason(codec.SharedMemoryDenied):  {forbidden, codes.PermissionDenied, "shared memory is not allowed", "Tensors in shared memory cannot be inspected."},
	Reason(codec.RemoteContentDenied): {forbidden, codes.PermissionDenied, "content from elsewhere is not allowed", "Send images in the request, as data: URIs; nobody inspects what a server fetches."},
	Reason(codec.FeatureNotEnabled):   {forbidden, codes.PermissionDenied, "this form of request is not enabled", "Classification needs a model server that has it; of the OpenAI API, files by id, web search and answers in audio are closed."},
	Reason(codec.SignatureMismatch):   {bad, codes.InvalidArgument, "the request does not fit the model", "Compare with GET /v2/models/NAME."},
	// codec: responses
	Reason(codec.ResponseMalformed): {blocked, codes.FailedPrecondition, "the model server's answer is not valid", "See the server's log; Weir passes no answer that it cannot read."},
	Reason(codec.ResponseTooLarge):  {blocked, codes.ResourceExhausted, "the model server's answer is too large", "limits.max_response_bytes."},
	// policy
	Reason(policy.ModelUnknown):        {forbidden, codes.PermissionDenied, "no policy for this model", "Add it under models: in weir.yaml."},
	Reason(policy.VersionUnknown):      {forbidden, codes.PermissionDenied, "no policy for this model version", "See versions: of the model in weir.yaml."},
	Reason(policy.InputUndeclared):     {forbidden, codes.PermissionDenied, "an input is not declared", "Add it under inputs: of the model with its kind."},
	Reason(policy.ParameterNotAllowed): {forbidden, codes.PermissionDenied, "a parameter is not allowed", "See parameters: of the model in weir.yaml."},
	Reason(policy.LowConfidence):       {blocked, codes.FailedPrecondition, "the answer did not pass the output checks", "A check of the model found low confidence."},
	Reason(policy.OutputNotFinite):     {blocked, codes.FailedPrecondition, "the answer did not pass the output checks", "A check of the model found NaN or infinity."},
	Reason(policy.OutputUnreadable):    {blocked, codes.FailedPrecondition, "the answer did not pass the output checks", "A checked output does not hold class probabilities."},
	// sanitize
	Reason(sanitize.ImageTooLarge):         {large, codes.ResourceExhausted, "an image is too large", "limits.max_image_bytes, max_bytes: of the input."},
	Reason(sanitize.ImageTooManyPixels):    {large, codes.ResourceExhausted, "an image has too many pixels", "limits.max_image_pixels, limits.max_image_side, max_pixels: of the input."},
	Reason(sanitize.ImageFormatNotAllowed): {bad, codes.InvalidArgument, "this image format is not allowed", "See formats: of the input."},
	Reason(sanitize.ImageFormatUnknown):    {bad, codes.InvalidArgument, "this is not an image that Weir reads", "Formats are told by content, not by name."},
	Reason(sanitize.ImageMalformed):        {bad, codes.InvalidArgument, "an image is malformed", "Decoders disagree on such files."},
	Reason(sanitize.ImageTruncated):        {bad, codes.InvalidArgument, "an image is cut short", "The file ends before its end marker."},
	Reason(sanitize.ImageTooManyFrames):    {bad, codes.InvalidArgument, "an image has several frames", "See animation: of the input, and limits.max_image_frames."},
	Reason(sanitize.ImageTooManySegments):  {bad, codes.InvalidArgument, "an image has too many segments", "More segments or chunks than cameras write."},
	Reason(sanitize.ImageExpands):          {large, codes.ResourceExhausted, "an image is too large for its bytes", "limits.max_image_expansion: flat pictures of millions of pixels in a few bytes."},
	Reason(sanitize.ImageUnsupported):      {bad, codes.InvalidArgument, "this variant of an image format is not supported", "Arithmetic coding, four components with re-encoding, and the like."},
	Reason(sanitize.TextInvalidUTF8):       {bad, codes.InvalidArgument, "a text is not valid UTF-8", "Send UTF-8."},
	Reason(sanitize.TextTooLong):           {large, codes.ResourceExhausted, "a text is too long", "limits.max_text_bytes."},
	Reason(sanitize.TextBidiOverride):      {bad, codes.InvalidArgument, "a text forges the order of its letters", "Directional overrides in left-to-right text."},
	Reason(sanitize.TextHoldsImage):        {bad, codes.InvalidArgument, "a text is an image", "A file of an image, its base64 or its data: URI: declare what the input carries."},
	Reason(sanitize.TensorDataType):        {bad, codes.InvalidArgument, "an input has the wrong datatype", "See datatype: of the input."},
	Reason(sanitize.TensorShape):           {bad, codes.InvalidArgument, "an input has the wrong shape", "See shape: of the input."},
	Reason(sanitize.TensorRange):           {bad, codes.InvalidArgument, "a value is out of range", "See min: and max: of the input."},
	Reason(sanitize.TensorNotFinite):       {bad, codes.InvalidArgument, "a value is not finite", "See not_finite: of the input."},
	Reason(sanitize.TensorHoldsImage):      {bad, codes.InvalidArgument, "an input of numbers holds an image file", "Declare what the input carries; kind: opaque lets it through unseen."},
	Reason(sanitize.KindNotSupported):      {http.StatusUnsupportedMediaType, codes.InvalidArgument, "this kind of content is not supported", "weir sanitize takes images and texts."},
	Reason(sanitize.DeadlineExceeded):      {busy, codes.ResourceExhausted, "sanitising took too long", "limits.request_timeout."},
	Reason(sanitize.Panicked):              {http.StatusInternalServerError, codes.Internal, "sanitising failed", "A fault of Weir's; the log has the stack."},
	// the filter's own
	UpstreamNotReady:   {busy, codes.FailedPrecondition, "the model is not ready", "GET /readyz?verbose on the public port says why."},
	UpstreamError:      {blocked, codes.FailedPrecondition, "the model server answered with an error", "The status is the server's."},
	UpstreamMissing:    {blocked, codes.FailedPrecondition, "the model server cannot be reached", "Envoy found no answer upstream."},
	UpstreamTimeout:    {http.StatusGatewayTimeout, codes.DeadlineExceeded, "the model server did not answer in time", "The deadline of the client, limits.stream_idle_timeout, or the time of a whole exchange."},
	Overloaded:         {busy, codes.ResourceExhausted, "too much work in flight", "limits.max_bytes_in_flight, limits.max_streams_in_flight."},
	DeadlineExceeded:   {busy, codes.ResourceExhausted, "the deadline has passed", "limits.request_timeout."},
	BodyTimeout:        {http.StatusRequestTimeout, codes.ResourceExhausted, "the body did not arrive in time", "limits.body_timeout."},
	InternalError:      {http.StatusInternalServerError, codes.Internal, "internal error", "A fault of Weir's; the log has the stack."},
	ProxyModeUnsafe:    {http.StatusInternalServerError, codes.FailedPrecondition, "the proxy is not set up safely", "Use the routes of `weir envoy-config`; `weir doctor` finds what differs."},
	ResponseUnexpected: {blocked, codes.FailedPrecondition, "an answer without a request that was seen", "The filter must see the request phase."},
}

// Reasons lists every reason in alphabetical order.
func Reasons() []Reason {
	all := make([]Reason, 0, len(statuses))
	for r := range statuses {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Reason) int { return strings.Compare(string(a), string(b)) })
	return all
}

// Status returns the row of a reason; an unknown one is an internal error.
func (r Reason) Status() Status {
	s, ok := statuses[r]
	if !ok {
		return statuses[InternalError]
	}
	return s
}
