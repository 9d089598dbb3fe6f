package main

import "slices"

// group is what runs against one set of models.
type group struct {
	name     string
	models   []string
	explicit bool     // Triton obeys requests to load and unload models
	args     []string // for Triton
	locked   bool     // args close Triton to Weir, so Weir never gets ready
	fresh    bool     // every test has servers that were just started
	scripts  []script
	suites   []suite
}

// script is a client example, or perf_analyzer; it passes when it exits with 0.
type script struct {
	name  string
	args  []string
	image bool // its last argument is a picture
}

// suite is a file of tests.
type suite struct {
	file string   // below qa
	only []string // tests to run; none: all
	env  []string
	log  string // name under which the tests look for Triton's log
}

// groups are in the order of the report.
var groups = slices.Concat(examples, serverGroups, backendGroups)

var examples = []group{
	{
		name: "Client examples (client: src/python/examples)",
		// One of the examples counts the models, and expects eight.
		models: []string{"simple", "simple_string", "simple_identity", "simple_int8", "simple_sequence",
			"simple_dyna_sequence", "simple_string_dyna_sequence", "densenet_onnx"},
		explicit: true,
		scripts: []script{
			{name: "simple_http_infer_client.py"},
			{name: "simple_http_infer_client.py", args: []string{"--request-compression-algorithm", "gzip", "--response-compression-algorithm", "gzip"}},
			{name: "simple_http_infer_client.py", args: []string{"--request-compression-algorithm", "deflate", "--response-compression-algorithm", "deflate"}},
			{name: "simple_http_aio_infer_client.py"},
			{name: "simple_http_async_infer_client.py"},
			{name: "simple_http_string_infer_client.py"},
			{name: "simple_http_sequence_sync_infer_client.py"},
			{name: "simple_http_sequence_sync_infer_client.py", args: []string{"-d"}},
			{name: "simple_http_health_metadata.py"},
			{name: "simple_http_shm_client.py"},
			{name: "simple_http_shm_string_client.py"},
			{name: "simple_http_cudashm_client.py"},
			{name: "simple_grpc_infer_client.py"},
			{name: "simple_grpc_infer_client.py", args: []string{"-C", "gzip"}},
			{name: "simple_grpc_infer_client.py", args: []string{"-C", "deflate"}},
			{name: "simple_grpc_aio_infer_client.py"},
			{name: "simple_grpc_async_infer_client.py"},
			{name: "simple_grpc_string_infer_client.py"},
			{name: "simple_grpc_custom_args_client.py"},
			{name: "simple_grpc_keepalive_client.py"},
			{name: "simple_grpc_sequence_sync_infer_client.py"},
			{name: "simple_grpc_sequence_sync_infer_client.py", args: []string{"-d"}},
			{name: "simple_grpc_sequence_stream_infer_client.py"},
			{name: "simple_grpc_sequence_stream_infer_client.py", args: []string{"-d"}},
			{name: "simple_grpc_aio_sequence_stream_infer_client.py"},
			{name: "simple_grpc_aio_sequence_stream_infer_client.py", args: []string{"-d"}},
			{name: "simple_grpc_health_metadata.py"},
			{name: "simple_grpc_shm_client.py"},
			{name: "simple_grpc_shm_string_client.py"},
			{name: "simple_grpc_cudashm_client.py"},
			{name: "grpc_client.py"},
			{name: "grpc_explicit_int_content_client.py"},
			{name: "grpc_explicit_int8_content_client.py"},
			{name: "grpc_explicit_byte_content_client.py"},
			{name: "reuse_infer_objects_client.py"},
			{name: "reuse_infer_objects_client.py", args: []string{"-i", "grpc", "-u", "localhost:8001"}},
			{name: "image_client.py", args: []string{"-m", "densenet_onnx", "-c", "3", "-s", "INCEPTION"}, image: true},
			{name: "image_client.py", args: []string{"-m", "densenet_onnx", "-c", "3", "-s", "INCEPTION", "-a"}, image: true},
			{name: "image_client.py", args: []string{"-m", "densenet_onnx", "-c", "3", "-s", "INCEPTION", "-i", "grpc", "-u", "localhost:8001"}, image: true},
			{name: "image_client.py", args: []string{"-m", "densenet_onnx", "-c", "3", "-s", "INCEPTION", "-i", "grpc", "-u", "localhost:8001", "--streaming"}, image: true},
			{name: "grpc_image_client.py", args: []string{"-m", "densenet_onnx", "-c", "3", "-s", "INCEPTION"}, image: true},
			{name: "grpc_image_client.py", args: []string{"-m", "densenet_onnx", "-c", "3", "-s", "INCEPTION", "-a"}, image: true},
			{name: "grpc_image_client.py", args: []string{"-m", "densenet_onnx", "-c", "3", "-s", "INCEPTION", "--streaming"}, image: true},
			{name: perfAnalyzer, args: []string{"-m", "simple", "-i", "http", "-u", "localhost:8000", "--request-count", "200"}},
			{name: perfAnalyzer, args: []string{"-m", "simple", "-i", "http", "-u", "localhost:8000", "--request-count", "200", "--async", "--concurrency-range", "4"}},
			{name: perfAnalyzer, args: []string{"-m", "simple", "-i", "grpc", "-u", "localhost:8001", "--request-count", "200"}},
			{name: perfAnalyzer, args: []string{"-m", "simple", "-i", "grpc", "-u", "localhost:8001", "--request-count", "200", "--async", "--streaming", "--concurrency-range", "4"}},
			{name: "simple_grpc_model_control.py"}, // unloads the model that others need
		},
	},
	{
		name: "A client example that counts seven models",
		models: []string{"simple", "simple_string", "simple_identity", "simple_int8", "simple_sequence",
			"simple_dyna_sequence", "simple_string_dyna_sequence"},
		explicit: true,
		scripts:  []script{{name: "simple_http_model_control.py"}},
	},
	{
		name:   "Client examples with models of their own",
		models: []string{"repeat_int32", "custom_identity_int32", "preprocess_inception_ensemble"},
		scripts: []script{
			{name: "simple_grpc_custom_repeat.py"},
			{name: "memory_growth_test.py", args: []string{"-r", "200"}},
			{name: "memory_growth_test.py", args: []string{"-i", "grpc", "-r", "200"}},
			{name: "ensemble_image_client.py", args: []string{"-c", "3"}, image: true},
			{name: "ensemble_image_client.py", args: []string{"-c", "3", "-i", "grpc", "-u", "localhost:8001"}, image: true},
		},
	},
}
