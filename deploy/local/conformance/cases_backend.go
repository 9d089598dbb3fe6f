package main

// backendGroups are the tests of the Python backend, each with the models and the
// arguments of its test.sh.
var backendGroups = []group{
	{
		name: "Python backend (server: qa/L0_backend_python)",
		models: []string{"identity_fp32", "identity_uint8", "identity_bool", "identity_bf16", "optional", "string", "string_fixed",
			"non_contiguous", "init_args"},
		args:   []string{"--backend-config=python,shm-default-byte-size=5242880"},
		suites: []suite{{file: "L0_backend_python/python_test.py"}},
	},
	{
		name:   "Python backend: inputs and outputs",
		models: []string{"add_sub", "dlpack_io_identity_decoupled", "llm"},
		suites: []suite{{file: "L0_backend_python/io/io_test.py", only: []string{"IOTest.test_requested_output_default",
			"IOTest.test_requested_output_decoupled", "IOTest.test_requested_output_decoupled_prior_crash"}}},
	},
	{
		name:   "Python backend: inputs and outputs of an ensemble",
		models: []string{"io/dlpack_io_identity_1", "io/dlpack_io_identity_2", "io/dlpack_io_identity_3", "ensemble_io"},
		suites: []suite{{file: "L0_backend_python/io/io_test.py", only: []string{"IOTest.test_ensemble_io"}, env: []string{"TRIAL=default"}}},
	},
	{
		name: "Python backend: inputs and outputs of a decoupled ensemble",
		models: []string{"io_decoupled/dlpack_io_identity_1", "io_decoupled/dlpack_io_identity_2", "io_decoupled/dlpack_io_identity_3",
			"ensemble_io"},
		suites: []suite{{file: "L0_backend_python/io/io_test.py", only: []string{"IOTest.test_ensemble_io"}, env: []string{"TRIAL=decoupled"}}},
	},
	{
		name: "Python backend: decoupled models",
		models: []string{"decoupled_bls_stream", "decoupled_bls_cancel", "decoupled_bls_async_cancel", "decoupled_bls_cancel_after_complete",
			"decoupled_execute_error", "decoupled_raise_exception", "decoupled_return_response_error", "decoupled_send_after_close_error",
			"execute_cancel", "response_sender_until_cancelled", "square_int32"},
		args:   []string{"--log-info=true"},
		suites: []suite{{file: "L0_backend_python/decoupled/decoupled_test.py", log: "decoupled_server.log"}},
	},
	{
		name:   "Python backend: ensemble",
		models: []string{"backend/ensemble", "add_sub_1", "add_sub_2"},
		suites: []suite{{file: "L0_backend_python/ensemble/ensemble_test.py"}},
	},
	{
		name:   "Python backend: parameters",
		models: []string{"response_parameters", "response_parameters_bls", "response_parameters_decoupled", "bls_parameters"},
		suites: []suite{
			{file: "L0_backend_python/parameters/response_parameters_test.py"},
			{file: "L0_backend_python/bls/bls_parameters_test.py"},
		},
	},
	{
		name:     "Python backend: request rescheduling",
		models:   []string{"iterative_sequence", "request_rescheduling_addsub"},
		explicit: true,
		suites:   []suite{{file: "L0_backend_python/request_rescheduling/grpc_endpoint_test.py"}},
	},
	{
		name: "Python backend: response sender",
		models: []string{"response_sender", "response_sender_decoupled", "response_sender_async", "response_sender_decoupled_async",
			"response_sender_batching", "response_sender_decoupled_batching", "response_sender_async_batching",
			"response_sender_decoupled_async_batching"},
		suites: []suite{{file: "L0_backend_python/response_sender/response_sender_test.py"}},
	},
	{
		name:   "Python backend: response sender after its end",
		models: []string{"response_sender_complete_final"},
		args:   []string{"--log-info=true"},
		suites: []suite{{file: "L0_backend_python/response_sender/response_sender_complete_final_test.py", log: "server.log"}},
	},
}
