package config

import "weir/sanitize"

// Config is the whole file. Sections are values, so that a section that is left
// out has its defaults; an empty section is an error.
//
// The struct tags: `yaml` is the key; `max` is the largest value allowed;
// `reload:"restart"` marks what only a restart can change.
type Config struct {
	// Listen is the Unix socket on which Envoy reaches Weir: unix:// and an
	// absolute path of at most 107 bytes. Default: unix:///run/weir/extproc.sock.
	Listen string `yaml:"listen" reload:"restart"`
	// Peers are the numeric user ids that may connect to the socket, beside root
	// and the user that Weir runs as. Default: none.
	Peers []int64 `yaml:"peers,omitempty,flow" max:"4294967294" reload:"restart"`
	// Public is the address (host:port; without a host: all addresses) of the
	// read-only metrics and health endpoints. Default: :9464.
	Public string `yaml:"public" reload:"restart"`
	// Control is the address of the pages and of everything that changes state:
	// a loopback host and a port. Default: 127.0.0.1:9465.
	Control string `yaml:"control" reload:"restart"`
	// Upstream is the model server.
	Upstream Upstream `yaml:"upstream"`
	// Limits bound what one request, and all of them together, may cost.
	Limits Limits `yaml:"limits"`
	// Telemetry says where traces go.
	Telemetry Telemetry `yaml:"telemetry"`
	// Keys are the secrets from which the keyed profiles draw.
	Keys Keys `yaml:"keys"`
	// Log is Weir's own log on standard error.
	Log Log `yaml:"log"`
	// State is what survives a restart.
	State State `yaml:"state"`
	// Defaults hold for every model that does not say otherwise.
	Defaults Defaults `yaml:"defaults"`
	// Endpoints are opened to clients, over HTTP and over gRPC, although they tell of
	// the server's insides: config is a model's whole configuration, with its files,
	// parameters and scheduling; statistics is how often and how fast each version of
	// a model was called by all clients, and without a model's name that of all the
	// server's models; repository_index is the names, versions and states of all
	// models, those without rules included. Default: none.
	Endpoints []Endpoint `yaml:"endpoints,omitempty,flow"`
	// Models are the models that may be reached; all others are refused. Names
	// may be globs; the most specific name that matches wins. Default: none.
	Models []Model `yaml:"models,omitempty"`

	source *source
	memory *sanitize.Memory // that the images of all models share, once Build was called
}

// Upstream is the model server, as Weir itself calls it to learn the signatures
// of models. The traffic of clients goes there through Envoy.
type Upstream struct {
	// Dialect is the form in which the server gets requests, whatever form clients
	// choose: triton is KServe V2 with Triton's extensions, such as binary tensors;
	// v2-json is KServe V2 over HTTP with tensors in the JSON, for MLServer and KServe's
	// Python server. Those must describe their inputs and outputs in their metadata, and
	// give clients the server's own choice of a model's version unless the rules of the
	// model name versions. Default: triton.
	Dialect Dialect `yaml:"dialect" reload:"restart"`
	// HTTP is the URL of the server's HTTP endpoint: scheme, host and port.
	// Default: http://127.0.0.1:8000.
	HTTP string `yaml:"http" reload:"restart"`
	// GRPC is the host:port of the server's gRPC endpoint; empty, or another dialect
	// than triton, keeps gRPC closed. Default: 127.0.0.1:8001.
	GRPC string `yaml:"grpc" reload:"restart"`
	// OpenAI is the URL of the endpoints of the OpenAI API, up to the /v1 of their
	// paths, such as http://127.0.0.1:9000/openai; empty: the API is not let
	// through. Default: empty.
	OpenAI string `yaml:"openai" reload:"restart"`
	// Upload is the URL of an endpoint that takes a file, or a form with files, as the
	// body of a POST and answers in JSON. {model} stands for the name of the model, as in
	// http://127.0.0.1:8080/predictions/{model}; without it the endpoint is that of the
	// one model of protocol upload. Clients use the same path. Empty: there is none.
	// Default: empty.
	Upload string `yaml:"upload" reload:"restart"`
	// Timeout is how long one call of Weir's own may take. Default: 5s.
	Timeout Duration `yaml:"timeout"`
}

// Limits bound sizes, counts and times. Whatever is over a limit is refused, never
// cut. All are at least 1; sizes are bytes, or numbers with a unit such as 64MiB.
type Limits struct {
	// MaxBodyBytes is the size of a request body, before and after it is
	// decompressed. Envoy's buffers are set to the same. Default: 64MiB.
	MaxBodyBytes Bytes `yaml:"max_body_bytes" max:"1GiB" reload:"restart"`
	// MaxResponseBytes is the size of a response body. Default: 64MiB.
	MaxResponseBytes Bytes `yaml:"max_response_bytes" max:"1GiB" reload:"restart"`
	// MaxImageBytes is the size of one image file. Default: 25MiB.
	MaxImageBytes Bytes `yaml:"max_image_bytes" max:"1GiB"`
	// MaxImagePixels is width times height of one image, added up over its frames, and
	// of all pictures of a tensor of pixels. Default: 40000000.
	MaxImagePixels int64 `yaml:"max_image_pixels" max:"1000000000"`
	// MaxImageSide is the longer side of one image, in pixels. Default: 16384.
	MaxImageSide int64 `yaml:"max_image_side" max:"65535"`
	// MaxImageSegments is the number of segments or chunks of one image file. Default: 512.
	MaxImageSegments int64 `yaml:"max_image_segments" max:"1000000"`
	// MaxImageMetadataBytes is the size of all that is not picture in one image
	// file. Default: 16MiB.
	MaxImageMetadataBytes Bytes `yaml:"max_image_metadata_bytes" max:"1GiB"`
	// MaxImageScans is the number of scans of one progressive JPEG. Default: 100.
	MaxImageScans int64 `yaml:"max_image_scans" max:"10000"`
	// MaxImageFrames is the number of frames of an animation where inputs keep
	// animations. Default: 100.
	MaxImageFrames int64 `yaml:"max_image_frames" max:"10000"`
	// MaxImageExpansion is how many times larger than its file an image may be once it
	// is decoded: flat pictures of millions of pixels take very few bytes. Deflate alone
	// reaches 1032. Default: 1100.
	MaxImageExpansion int64 `yaml:"max_image_expansion" max:"1000000"`
	// MaxImageDecodedBytes is the memory that the steps of a profile on the pixels
	// may need, of one image and of all at the same time. Default: 1GiB.
	MaxImageDecodedBytes Bytes `yaml:"max_image_decoded_bytes" max:"1TiB" reload:"restart"`
	// MaxTextBytes is the size of one text. Default: 1MiB.
	MaxTextBytes Bytes `yaml:"max_text_bytes" max:"1GiB"`
	// MaxJSONHeaderBytes is the size of the JSON in front of binary tensors. Default: 1MiB.
	MaxJSONHeaderBytes Bytes `yaml:"max_json_header_bytes" max:"1GiB"`
	// MaxJSONDepth is how deep arrays and objects may be nested; at least
	// max_rank + 3. Default: 32.
	MaxJSONDepth int64 `yaml:"max_json_depth" max:"1000"`
	// MaxNameBytes is the size of the name of a tensor, parameter or part of a form. Default: 256.
	MaxNameBytes int64 `yaml:"max_name_bytes" max:"65536"`
	// MaxParameters is the number of parameters of a request or tensor. Default: 64.
	MaxParameters int64 `yaml:"max_parameters" max:"1024"`
	// MaxInputs is the number of input tensors of a request, or of parts of a form. Default: 64.
	MaxInputs int64 `yaml:"max_inputs" max:"4096"`
	// MaxOutputs is the number of output tensors, asked for or returned. Default: 64.
	MaxOutputs int64 `yaml:"max_outputs" max:"4096"`
	// MaxRank is the number of dimensions of a tensor. Default: 16.
	MaxRank int64 `yaml:"max_rank" max:"64"`
	// MaxElements is the number of elements of a numeric tensor. Default: 67108864.
	MaxElements int64 `yaml:"max_elements" max:"2147483647"`
	// MaxBytesElements is the number of elements of a BYTES tensor. Default: 65536.
	MaxBytesElements int64 `yaml:"max_bytes_elements" max:"2147483647"`
	// MaxInflateRatio is how many times larger than its compressed form a body
	// may be. Default: 200.
	MaxInflateRatio int64 `yaml:"max_inflate_ratio" max:"1100"`
	// MaxStreamsInFlight is the number of exchanges at the same time, on one
	// connection of Envoy's. Default: 256.
	MaxStreamsInFlight int64 `yaml:"max_streams_in_flight" max:"1000000" reload:"restart"`
	// MaxStreamRequests is the number of requests of one gRPC stream that may wait
	// for the last of their answers. Default: 256.
	MaxStreamRequests int64 `yaml:"max_stream_requests" max:"100000" reload:"restart"`
	// MaxBytesInFlight is the memory reserved for the bodies of all exchanges
	// together; at least max_body_bytes. Default: 1GiB.
	MaxBytesInFlight Bytes `yaml:"max_bytes_in_flight" max:"1TiB" reload:"restart"`
	// AdmissionTimeout is how long an exchange waits for memory before it is
	// refused. Default: 1s.
	AdmissionTimeout Duration `yaml:"admission_timeout" max:"1h" reload:"restart"`
	// BodyTimeout is how long the body of a request, or one message of a stream, may
	// take to arrive. Its memory is reserved for as long. Default: 30s.
	BodyTimeout Duration `yaml:"body_timeout" max:"1h" reload:"restart"`
	// StreamIdleTimeout is how long a stream of answers, or one of requests and
	// answers, may be silent before Envoy ends it. Default: 5m.
	StreamIdleTimeout Duration `yaml:"stream_idle_timeout" max:"1d" reload:"restart"`
	// RequestTimeout is how long Weir may work on a request, and again on its
	// response; the time in the model server is not counted. Envoy's own timer for
	// each message is 10/7 of it. Default: 10s.
	RequestTimeout Duration `yaml:"request_timeout" max:"1h"`
}

// Telemetry says where traces go. Metrics are always on the public address.
type Telemetry struct {
	// OTLPEndpoint is the URL of an OTLP receiver over gRPC, such as
	// http://otel-collector:4317; empty: no traces. Default: empty.
	OTLPEndpoint string `yaml:"otlp_endpoint" reload:"restart"`
	// SampleRatio is the share of traces that begin in Weir and are recorded, from
	// 0 to 1; a trace that began before Weir keeps its caller's choice. Default: 0.05.
	SampleRatio float64 `yaml:"sample_ratio"`
	// TrustClient makes the trace context of a client the parent of Weir's span
	// where Envoy has none of its own, so that the client chooses the trace and
	// whether it is recorded. Without, Weir's span has a link to it. Default: false.
	TrustClient bool `yaml:"trust_client"`
}

// Keys are the secrets from which the keyed profiles draw.
type Keys struct {
	// SanitizeFile holds at least 32 random bytes, the same on all replicas;
	// empty: random at each start. Default: empty.
	SanitizeFile File `yaml:"sanitize_file"`
	// Epoch is how long the draws stay the same; at least 1m. Default: 1d.
	Epoch Duration `yaml:"epoch"`
}

// Log is Weir's own log.
type Log struct {
	// Level is the lowest level written: debug, info, warn or error. Default: info.
	Level Level `yaml:"level"`
}

// State is what survives a restart.
type State struct {
	// Dir is the folder in which the state of the drift detectors is saved;
	// empty: it is lost. Default: empty.
	Dir Dir `yaml:"dir" reload:"restart"`
}

// Defaults hold for every model that does not say otherwise.
type Defaults struct {
	// Mode says whether rules act (enforce), are only recorded (shadow) or are not
	// evaluated (off). Parsing, routes and limits hold in all modes. Default: enforce.
	Mode Mode `yaml:"mode"`
}

// Default returns the configuration of a file that says nothing.
func Default() *Config {
	return &Config{
		Listen:  "unix:///run/weir/extproc.sock",
		Public:  ":9464",
		Control: "127.0.0.1:9465",
		Upstream: Upstream{
			Dialect: Triton,
			HTTP:    "http://127.0.0.1:8000",
			GRPC:    "127.0.0.1:8001",
			Timeout: 5 * second,
		},
		Limits: Limits{
			MaxBodyBytes:          64 * mebibyte,
			MaxResponseBytes:      64 * mebibyte,
			MaxImageBytes:         25 * mebibyte,
			MaxImagePixels:        40_000_000,
			MaxImageSide:          16384,
			MaxImageSegments:      512,
			MaxImageMetadataBytes: 16 * mebibyte,
			MaxImageScans:         100,
			MaxImageFrames:        100,
			MaxImageExpansion:     1100,
			MaxImageDecodedBytes:  1024 * mebibyte,
			MaxTextBytes:          mebibyte,
			MaxJSONHeaderBytes:    mebibyte,
			MaxJSONDepth:          32,
			MaxNameBytes:          256,
			MaxParameters:         64,
			MaxInputs:             64,
			MaxOutputs:            64,
			MaxRank:               16,
			MaxElements:           64 << 20,
			MaxBytesElements:      64 << 10,
			MaxInflateRatio:       200,
			MaxStreamsInFlight:    256,
			MaxStreamRequests:     256,
			MaxBytesInFlight:      1024 * mebibyte,
			AdmissionTimeout:      second,
			BodyTimeout:           30 * second,
			StreamIdleTimeout:     300 * second,
			RequestTimeout:        10 * second,
		},
		Telemetry: Telemetry{SampleRatio: 0.05},
		Keys:      Keys{Epoch: day},
		Log:       Log{Level: LevelInfo},
		Defaults:  Defaults{Mode: Enforce},
		source:    &source{contents: map[string][]byte{}},
	}
}
