package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// liteLLMModels is the configuration of the proxy: a model whose answer is known, so
// that nothing is asked beyond this machine.
const liteLLMModels = `model_list:
  - model_name: mock
    litellm_params: {model: openai/mock, api_key: none, mock_response: "It is a red sign."}
`

// StartLiteLLM starts LiteLLM's proxy, which knows parts of the OpenAI API that KServe
// does not (audio parts, usage in streams), on a free port and waits until it is
// ready. It serves the model mock, which answers "It is a red sign." logDir receives
// its log, litellm.log. It keeps no record.
func StartLiteLLM(ctx context.Context, deps Deps, logDir string) (*OpenAI, error) {
	logDir, err := filepath.Abs(logDir)
	if err != nil {
		return nil, fmt.Errorf("start LiteLLM: %w", err)
	}
	config := filepath.Join(logDir, "litellm.yaml")
	if err := os.WriteFile(config, []byte(liteLLMModels), 0o644); err != nil {
		return nil, fmt.Errorf("start LiteLLM: %w", err)
	}
	return startOpenAI(ctx, "", func(port string) Spec {
		return Spec{
			Name: "litellm",
			Path: deps.LiteLLM,
			Args: []string{"--config", config, "--host", "127.0.0.1", "--port", port, "--telemetry", "False"},
			Env: []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + logDir, "PYTHONDONTWRITEBYTECODE=1",
				"LITELLM_LOCAL_MODEL_COST_MAP=True"},
			LogDir: logDir,
		}
	})
}
