package main

import (
	"regexp"
	"slices"
	"strings"
)

// difference is something that Weir does in another way than Triton, on purpose.
type difference struct {
	rows     *regexp.Regexp // which scripts and tests fail because of it, by "FILE NAME"
	profiles []profile
	reason   string // among Weir's refusals meanwhile; "": it refuses nothing
	why      string
	tests    string // of deploy/e2e, which hold it
}

var (
	both       = []profile{closed, open}
	onlyClosed = []profile{closed}
)

// explains reports whether a row failed under a profile because of the difference.
func (d difference) explains(line *row, p profile) bool {
	return slices.Contains(d.profiles, p) && d.rows.MatchString(strings.TrimSpace(line.File+" "+line.Name)) &&
		(d.reason == "" || slices.Contains(line.Outcomes[p].Reasons, d.reason))
}

// differences are in the order in which they are looked for.
var differences = []difference{
	{
		regexp.MustCompile(`shm|shared_memory|reuse_infer_objects`), both, "route_denied",
		"Shared memory cannot be inspected: its endpoints are closed, whatever the policy.", "TestSharedMemory, TestSharedMemoryOverGRPC",
	},
	{
		regexp.MustCompile(`model_control|load_model|request_rescheduling|test_model_repository`), both, "route_denied",
		"Models are not loaded and unloaded through Weir, whatever the policy.", "TestRepositoryControl, TestControlOverGRPC",
	},
	{
		regexp.MustCompile(`trace_settings`), both, "route_denied",
		"Trace settings are closed, whatever the policy.", "TestTraceAndLogSettings, TestControlOverGRPC",
	},
	{
		regexp.MustCompile(`.`), onlyClosed, "route_denied",
		"Configuration, statistics and the index of the repository are closed unless the policy opens them.", "TestEndpointsAreOpenedByThePolicy",
	},
	{
		regexp.MustCompile(`sequence`), onlyClosed, "parameter_not_allowed",
		"Parameters of sequences are refused unless the policy names them.", "TestRequestsOfTheConformanceTests, TestTrick31ParametersOverGRPC",
	},
	{
		regexp.MustCompile(`health_metadata|infer_client`), both, "model_unknown",
		"A model without rules is refused in Weir's words, whether the server has it or not; the client looks for Triton's words.", "TestRequestsOfTheConformanceTests, TestControlOverGRPC",
	},
	{
		regexp.MustCompile(`http_test.py .*(byte_too_many|multi_variable|negative_dim)`), both, "shape_invalid",
		"Refused before the server sees it, in Weir's words and with its status; the test looks for Triton's.", "TestRequestsOfTheConformanceTests, TestTrick13DataThatNestsOtherwise",
	},
	{
		regexp.MustCompile(`http_test.py .*multi_inputs|generate.*missing_inputs|class_count.*unsupported|InputValTest.*(missing|optional)$|chunked_infer_(at|over)_max`), both, "signature_mismatch",
		"Refused before the server sees it, in Weir's words; the test looks for Triton's.", "TestRequestsOfTheConformanceTests, TestHTTPFeatures",
	},
	{
		regexp.MustCompile(`generate_endpoint_test.py .*(complex_schema|invalid_input_types)`), both, "input_data_invalid",
		"Refused before the server sees it, in Weir's words; the test looks for Triton's.", "TestHTTPFeatures",
	},
	{
		regexp.MustCompile(`generate_endpoint_test.py .*duplicate_inputs`), both, "json_duplicate_key",
		"Refused before the server sees it, in Weir's words; the test looks for Triton's.", "TestHTTPFeatures",
	},
	{
		regexp.MustCompile(`generate_endpoint_test.py .*test_parameters`), both, "json_malformed",
		"Refused before the server sees it, in Weir's words; the test looks for Triton's.", "TestHTTPFeatures",
	},
	{
		regexp.MustCompile(`output_names`), both, "output_duplicate",
		"Refused before the server sees it, in Weir's words; the test looks for a newer Triton's.", "TestTrick29OutputsTwiceOrThousandsOfThem, TestTrick29OutputsTwiceOrThousandsOfThemOverGRPC",
	},
	{
		regexp.MustCompile(`InputValTest.*(empty|all_optional)|PythonTest.test_optional_input`), both, "input_data_invalid",
		"A request without inputs is refused, though Triton runs a model whose inputs are all optional.", "TestRequestsWithoutInputs",
	},
	{
		regexp.MustCompile(`generate_endpoint_test.py .*response_error`), both, "upstream_error",
		"An error before the first event of a stream has the content-type of an error, application/json; Triton says text/event-stream.", "TestHTTPFeatures",
	},
	{
		regexp.MustCompile(`generate_endpoint_test.py .*(many|zero)_response`), both, "response_malformed",
		"An error under status 200 (generate, with a model that does not answer once) and a stream without events are no answers to Weir: 502.", "TestHTTPFeatures",
	},
	{
		regexp.MustCompile(`content_encoding_chunked_manually`), both, "",
		"A request with both content-length and transfer-encoding is refused by Envoy.", "TestTrick20FramesOfBodies",
	},
	{
		regexp.MustCompile(`many_elements`), both, "shape_invalid",
		"A tensor with more BYTES elements than limits.max_bytes_elements is refused; the test has ten million.", "TestLimits",
	},
	{
		regexp.MustCompile(`index_deeply_nested`), []profile{open}, "header_invalid",
		"The index of the repository takes no body.", "TestOpenedEndpointsKeepTheRules",
	},
	{
		regexp.MustCompile(`InputShapeTest.*string_shape`), both, "input_data_invalid",
		"Refused before the server sees it, in Weir's words; the test looks for Triton's.", "TestTrick17ElementsThatLieOverGRPC",
	},
	{
		regexp.MustCompile(`parameters_test.py .*(case_sensitive|test_headers$)`), both, "",
		"A request with an underscore in the name of a header is refused by Envoy; no header of a client's reaches a model.",
		"TestHeadersWithUnderscores, TestOnlyWhatWeirWroteReachesTheModelServer, TestOnlyWhatWeirWroteReachesTheModelServerOverGRPC",
	},
	{
		regexp.MustCompile(`InputShapeTest.*input_shape`), both, "binary_size_invalid",
		"Refused before the server sees it, in Weir's words; the test looks for Triton's.", "TestTrick16BinarySizesThatLie, TestTrick27Messages",
	},
	{
		regexp.MustCompile(`PythonTest.test_init_args|requested_output_decoupled_prior_crash`), both, "response_malformed",
		"A tensor of another rank than the model says it has is no answer to Weir; Triton passes it on.", "TestAnswersOfTheConformanceModels",
	},
	{
		regexp.MustCompile(`http_restricted_api_test.py .*infer`), both, "upstream_not_ready",
		"Weir has no key for Triton's restricted APIs, so a model behind one is not ready.", "TestKeysOfTriton",
	},
	{
		regexp.MustCompile(`http_restricted_api_test.py .*metadata`), both, "",
		"A key for Triton's restricted APIs does not get there, as no header of a client's does.", "TestKeysOfTriton",
	},
}
