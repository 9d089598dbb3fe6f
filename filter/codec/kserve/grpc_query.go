package kserve

import (
	"weir/filter/codec"
	"weir/filter/codec/frame"
)

// The messages of operations that infer nothing.
var (
	emptySchema  = schema{}
	modelSchema  = schema{1: oneText, 2: oneText}   // name, version
	indexSchema  = schema{1: oneText, 2: oneVarint} // repository_name, ready
	healthSchema = schema{1: oneText}               // service, of grpc.health.v1
)

// DecodeQuery parses the message of an operation that infers nothing, puts the model
// and version that it names into route, and writes it anew.
func (c *GRPC) DecodeQuery(route *codec.Route, headers codec.Headers, body []byte) (*codec.Message, error) {
	if err := headers.CheckLength(body); err != nil {
		return nil, err
	}
	source, err := c.requestMessage(headers, body)
	if err != nil {
		return nil, err
	}
	w := make([]byte, frame.HeaderBytes, frame.HeaderBytes+len(source))
	switch route.Operation {
	case codec.ServerLive, codec.ServerReady, codec.ServerMetadata:
		err = emptySchema.walk(source, nil)
	case codec.ModelReady, codec.ModelMetadata, codec.ModelConfig, codec.ModelStatistics:
		w, err = queryModel(w, route, source)
	case codec.RepositoryIndex:
		w, err = queryIndex(w, source, &c.limits)
	case codec.HealthCheck:
		w, err = queryHealth(w, source)
	default:
		err = codec.Refuse(codec.RouteDenied, "not a query over gRPC")
	}
	if err != nil {
		return nil, err
	}
	return framed(seal(w)), nil
}

// queryModel reads the name of a model and a version of it. Statistics may be of all
// models.
func queryModel(w []byte, route *codec.Route, source []byte) ([]byte, error) {
	var model, version string
	err := modelSchema.walk(source, func(f field) error {
		if f.number == 1 {
			model = string(f.bytes)
		} else {
			version = string(f.bytes)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if route.Operation != codec.ModelStatistics || model != "" || version != "" {
		if err := checkModel(model, version); err != nil {
			return nil, err
		}
	}
	route.Model, route.Version = model, version
	return appendText(appendText(w, 1, model), 2, version), nil
}

func queryIndex(w, source []byte, limits *Limits) ([]byte, error) {
	err := indexSchema.walk(source, func(f field) error {
		switch {
		case f.number == 1 && len(f.bytes) > 0:
			w = appendText(w, 1, string(f.bytes))
			return checkName(string(f.bytes), limits, "the name of the repository")
		case f.number == 2 && f.scalar > 1:
			return malformed("a truth value that is neither 0 nor 1")
		case f.number == 2 && f.scalar == 1:
			w = appendVarint(w, 2, 1)
		}
		return nil
	})
	return w, err
}

// queryHealth asks for the health of the server: Triton gives the same answer for
// every name of a service, whether it has it or not.
func queryHealth(w, source []byte) ([]byte, error) {
	err := healthSchema.walk(source, func(f field) error {
		switch service := string(f.bytes); service {
		case "":
		case "inference.GRPCInferenceService":
			w = appendText(w, 1, service)
		default:
			return codec.Refuse(codec.NameInvalid, "there is no such service")
		}
		return nil
	})
	return w, err
}
