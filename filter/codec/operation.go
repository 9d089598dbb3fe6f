package codec

var operationNames = [...]string{
	Deny:            "deny",
	Infer:           "infer",
	InferStream:     "infer_stream",
	Generate:        "generate",
	GenerateStream:  "generate_stream",
	ChatCompletions: "chat_completions",
	Completions:     "completions",
	Embeddings:      "embeddings",
	Predict:         "predict",
	ServerLive:      "server_live",
	ServerReady:     "server_ready",
	ServerMetadata:  "server_metadata",
	ModelMetadata:   "model_metadata",
	ModelReady:      "model_ready",
	HealthCheck:     "health_check",
	ModelList:       "model_list",
	ModelConfig:     "model_config",
	ModelStatistics: "model_statistics",
	RepositoryIndex: "repository_index",
}

// String returns the operation's name in records of decisions.
func (o Operation) String() string {
	if int(o) >= len(operationNames) {
		return operationNames[Deny]
	}
	return operationNames[o]
}
