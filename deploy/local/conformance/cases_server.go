package main

var serverGroups = []group{
	{
		name: "Server tests of NVIDIA's asyncio clients (server: qa)",
		// The tests count the models, and expect seven.
		models: []string{"simple", "simple_string", "simple_identity", "simple_int8", "simple_sequence",
			"simple_dyna_sequence", "simple_string_dyna_sequence"},
		suites: []suite{{file: "L0_http/python_http_aio_test.py"}, {file: "L0_grpc/python_grpc_aio_test.py"}},
	},
	{
		name: "Server tests (server: qa)",
		models: []string{"simple", "mock_llm", "onnx_zero_1_float32", "onnx_zero_1_float32_queue", "onnx_zero_1_float16",
			"onnx_zero_1_object", "onnx_zero_1_object_1_element", "onnx_zero_3_float32", "simple_identity", "simple_identity_int64",
			"string_identity", "identity", "identity_fp32", "identity_bytes", "nan_inf_output", "parameter", "ensemble",
			"input_all_required", "input_optional", "input_all_optional", "pt_identity", "onnx_object_int32_int32"},
		suites: []suite{
			{file: "L0_http/generate_endpoint_test.py"},
			{file: "L0_http/http_test.py"},
			{file: "L0_grpc/python_unit_test.py", only: []string{"GrpcTest.test_duplicate_output_names_rejected", "GrpcTest.test_bytes_contents_many_elements_serialization"}},
			{file: "L0_parameters/parameters_test.py", only: []string{"InferenceParametersTest.test_params", "InferenceParametersTest.test_params_reserved_rejected"}},
			{file: "L0_parameters/class_count_test.py", env: []string{"CLIENT_TYPE=http"}},
			{file: "L0_parameters/class_count_test.py", env: []string{"CLIENT_TYPE=grpc"}},
			{file: "L0_nan_inf/nan_inf_test.py"},
			{file: "L0_input_validation/input_validation_test.py"},
			{file: "L0_string_io/string_client_test.py"},
		},
	},
	{
		name:   "Server tests, Triton forwards headers to models (server: qa)",
		models: []string{"identity", "parameter", "ensemble"},
		args:   []string{"--grpc-header-forward-pattern", "MY_HEADER.*", "--http-header-forward-pattern", "MY_HEADER.*"},
		suites: []suite{{file: "L0_parameters/parameters_test.py", only: []string{"InferenceParametersTest.test_headers"}}},
	},
	{
		name:   "Server tests, Triton forwards headers by their case (server: qa)",
		models: []string{"identity", "parameter", "ensemble"},
		args:   []string{"--grpc-header-forward-pattern", "(?-i)MY_HEADER.*"},
		suites: []suite{{file: "L0_parameters/parameters_test.py", only: []string{"InferenceParametersTest.test_grpc_header_forward_pattern_case_sensitive"}}},
	},
	{
		name:   "Server tests, Triton forwards every header (server: qa)",
		models: []string{"identity", "parameter", "ensemble"},
		args:   []string{"--grpc-header-forward-pattern", ".*", "--http-header-forward-pattern", ".*"},
		suites: []suite{{file: "L0_parameters/parameters_test.py", only: []string{"InferenceParametersTest.test_headers_reserved_rejected"}}},
	},
	{
		name:   "Server tests of APIs that Triton opens by key (server: qa)",
		models: []string{"simple"},
		args: []string{"--http-restricted-api=model-repository:admin-key=admin-value",
			"--http-restricted-api=inference,metadata:infer-key=infer-value"},
		locked: true,
		suites: []suite{{file: "L0_http/http_restricted_api_test.py"}},
	},
	{
		name:   "Server tests of the size of requests (server: qa)",
		models: []string{"onnx_zero_1_float32", "simple_identity"},
		suites: []suite{{file: "L0_http/http_input_size_limit_test.py"}},
	},
	{
		name:     "Server tests of chunks (server: qa)",
		models:   []string{"simple"},
		explicit: true,
		suites:   []suite{{file: "L0_http/http_request_many_chunks.py"}},
	},
	{
		name: "Server tests of optional inputs (server: qa)",
		models: []string{"identity_2_float32", "ensemble_identity_2_float32", "pipeline_identity_2_float32",
			"optional_connecting_tensor", "optional_identity"},
		fresh:  true, // the tests count what the server has done
		suites: []suite{{file: "L0_optional_input/optional_input_test.py"}},
	},
}

// notRun are tests that are left out, and why.
var notRun = map[string]string{
	"L0_http/http_test.py HttpTest.test_loading_large_invalid_model":                                            "its request alone needs 10 GiB of memory",
	"L0_http/generate_endpoint_test.py GenerateEndpointTest.test_json_dtype_size_expansion_exceeds_limit_error": "expects the limit of a newer Triton",

	"L0_http/http_input_size_limit_test.py InferSizeLimitTest.test_large_input_raw_binary": noSizeOption,
	"L0_http/http_input_size_limit_test.py InferSizeLimitTest.test_large_input_json":       noSizeOption,
	"L0_http/http_input_size_limit_test.py InferSizeLimitTest.test_large_input_compressed": noSizeOption,

	"L0_backend_python/python_test.py PythonTest.test_growth_error":                  "needs 10 GiB of memory",
	"L0_backend_python/python_test.py PythonTest.test_gpu_tensor_error":              noGPU,
	"L0_backend_python/python_test.py PythonTest.test_dlpack_tensor_error":           noGPU,
	"L0_backend_python/python_test.py PythonTest.test_infer_pytorch":                 noTorch,
	"L0_backend_python/io/io_test.py IOTest.test_empty_gpu_output":                   noGPU,
	"L0_backend_python/io/io_test.py IOTest.test_variable_gpu_output":                noGPU,
	"L0_backend_python/decoupled/decoupled_test.py DecoupledTest.test_decoupled_bls": noTorch,
	"L0_backend_python/ensemble/ensemble_test.py EnsembleTest.test_ensemble_gpu":     noGPU,
	"L0_backend_python/test_infer_shm_leak.py":                                       "looks for leaks in Triton's shared memory, with a request that has no inputs",

	"L0_backend_python/response_sender/response_sender_test.py ResponseSenderTest.test_non_decoupled_zero_response_post_return": skipped,
	"L0_backend_python/response_sender/response_sender_test.py ResponseSenderTest.test_non_decoupled_two_response_post_return":  skipped,

	"L0_large_payload/large_payload_test.py": "needs 20 GiB of memory",
	"L0_http/http_client_plugin_test.py":     "talks to no server",
	"L0_http/http_basic_auth_test.py":        "is about nginx",
}

const (
	noSizeOption = "needs --http-max-input-size, which this Triton has not"
	noGPU        = "its models need a GPU"
	noTorch      = "its model needs torch"
	skipped      = "NVIDIA skips it"
)
