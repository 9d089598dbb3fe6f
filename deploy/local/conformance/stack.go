package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"weir/deploy/local"
)

// stack is a Triton with the models of a group, alone or behind Envoy and Weir.
type stack struct {
	profile    profile
	deps       local.Deps
	group      group
	repository string
	dir        string
	ports      [2]*forwarder // 8000 and 8001
	starts     int

	triton *local.Triton
	weir   *local.Weir
	envoy  *local.Envoy
	seen   map[string]bool // ids of decisions of Weir's that were looked at
}

// start starts everything and leads the two ports there.
func (s *stack) start(ctx context.Context) error {
	s.starts++
	dir := filepath.Join(s.dir, fmt.Sprintf("%d", s.starts))
	options := local.TritonOptions{Repository: s.repository, LogDir: dir}
	if s.group.explicit {
		options.Models = s.group.models
	}
	var err error
	if s.triton, err = local.StartTriton(ctx, s.deps, options); err != nil {
		return err
	}
	if s.profile == bare {
		s.lead(s.triton.HTTP, s.triton.GRPC)
		return nil
	}
	s.weir, err = local.StartWeir(ctx, s.deps, local.WeirOptions{Dir: dir, Upstream: s.triton.HTTP, GRPC: s.triton.GRPC,
		Config: config(s.profile, s.group.models)})
	if err != nil {
		return err
	}
	if s.envoy, err = s.weir.StartFront(ctx, s.deps); err != nil {
		return err
	}
	s.seen = map[string]bool{}
	s.lead(s.envoy.Listeners["inference"], s.envoy.Listeners["inference"])
	return s.weir.WaitModels(ctx)
}

func (s *stack) lead(http, grpc string) {
	s.ports[0].target.Store(http)
	s.ports[1].target.Store(grpc)
}

// stop ends what is running.
func (s *stack) stop() error {
	ctx := context.Background()
	var errs []error
	if s.envoy != nil {
		errs = append(errs, s.envoy.Stop(ctx))
	}
	if s.weir != nil {
		errs = append(errs, s.weir.Stop(ctx))
	}
	if s.triton != nil {
		select {
		case <-s.triton.Done(): // crashed
		default:
			errs = append(errs, s.triton.Stop(ctx))
		}
	}
	s.envoy, s.weir, s.triton = nil, nil, nil
	return errors.Join(errs...)
}

// crashed reports whether Triton has ended. A crash takes a while, in which it no longer
// answers.
func (s *stack) crashed(ctx context.Context) (bool, error) {
	live := local.HTTPReady("http://" + s.triton.HTTP + "/v2/health/live")
	for deadline := time.Now().Add(time.Minute); live(ctx) != nil; {
		select {
		case <-s.triton.Done():
			return true, nil
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return false, errors.New("triton neither answers nor ends")
		}
	}
	return false, nil
}

// reasons are the codes of Weir's refusals since the last call, in alphabetical
// order. Weir notes a decision when its exchange has ended, which is after the client's
// answer, so this waits until no more come.
func (s *stack) reasons(ctx context.Context) ([]string, error) {
	if s.weir == nil {
		return nil, nil
	}
	var codes []string
	for quiet := 0; quiet < 3; quiet++ {
		time.Sleep(100 * time.Millisecond)
		fresh, err := s.decisions(ctx)
		if err != nil {
			return nil, err
		}
		for _, one := range fresh {
			quiet = 0
			if one.Verdict == "block" || one.Verdict == "error" {
				codes = append(codes, one.Reason)
			}
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes), nil
}

// decided is what counts here of one of Weir's decisions.
type decided struct{ ID, Verdict, Reason string }

// decisions are those that no earlier call has returned.
func (s *stack) decisions(ctx context.Context) (fresh []decided, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.weir.Control+"/-/decisions?last=2000", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("decisions of weir: %w", err)
	}
	defer response.Body.Close()
	for lines := json.NewDecoder(response.Body); lines.More(); {
		var one decided
		if err := lines.Decode(&one); err != nil {
			return nil, fmt.Errorf("decisions of weir: %w", err)
		}
		if !s.seen[one.ID] {
			s.seen[one.ID] = true
			fresh = append(fresh, one)
		}
	}
	return fresh, nil
}

// repository makes a model repository of the models of a group: those of this folder,
// and those that come with the tests.
func repository(deps local.Deps, server, dir string, models []string) error {
	for _, name := range models {
		if err := copyModel(filepath.Join(deps.Root, "deploy", "local", "conformance", "models", name), filepath.Join(dir, name)); err == nil {
			continue
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		source, ok := fetched[name]
		if !ok {
			return fmt.Errorf("there is no model %q", name)
		}
		if err := source.copyTo(filepath.Join(server, "qa"), filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("model %q: %w", name, err)
		}
	}
	return nil
}

// copyModel copies config.pbtxt, labels and the program of a model.
func copyModel(from, to string) error {
	for _, name := range []string{"config.pbtxt", "labels.txt", filepath.Join("1", "model.py")} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, os.ErrNotExist) && name == "labels.txt" {
			continue
		}
		if err != nil {
			return err
		}
		if err := write(filepath.Join(to, name), text); err != nil {
			return err
		}
	}
	return nil
}

func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// fetchedModel is a model among the tests, with the edits that their scripts make.
type fetchedModel struct {
	config, program string // paths below qa; without config: only a backend; without program: an ensemble
	edits           [][2]string
}

var fetched = map[string]fetchedModel{
	"mock_llm":           {"python_models/generate_models/mock_llm/config.pbtxt", "python_models/generate_models/mock_llm/1/model.py", nil},
	"string_identity":    {"python_models/string_identity/config.pbtxt", "python_models/string_identity/model.py", [][2]string{{"[ 1 ]", "[ -1 ]"}}},
	"identity_fp32":      {"python_models/identity_fp32/config.pbtxt", "python_models/identity_fp32/model.py", nil},
	"identity_bytes":     {"python_models/identity_fp32/config.pbtxt", "python_models/identity_fp32/model.py", [][2]string{{"identity_fp32", "identity_bytes"}, {"TYPE_FP32", "TYPE_STRING"}}},
	"nan_inf_output":     {"L0_nan_inf/models/nan_inf_output/config.pbtxt", "L0_nan_inf/models/nan_inf_output/1/model.py", nil},
	"ensemble":           {"L0_parameters/model_repository/ensemble/config.pbtxt", "", nil},
	"parameter":          {"", "L0_parameters/model_repository/parameter/1/model.py", nil},
	"input_all_required": {"L0_input_validation/models/input_all_required/config.pbtxt", "L0_input_validation/models/input_all_required/1/model.py", nil},
	"input_optional":     {"L0_input_validation/models/input_optional/config.pbtxt", "L0_input_validation/models/input_optional/1/model.py", nil},
	"input_all_optional": {"L0_input_validation/models/input_all_optional/config.pbtxt", "L0_input_validation/models/input_all_optional/1/model.py", nil},
}

func (m fetchedModel) copyTo(qa, dir string) error {
	var err error
	settings := []byte("backend: \"python\"\n") // the program completes it
	if m.config != "" {
		if settings, err = os.ReadFile(filepath.Join(qa, m.config)); err != nil {
			return err
		}
	}
	for _, edit := range m.edits {
		settings = bytes.ReplaceAll(settings, []byte(edit[0]), []byte(edit[1]))
	}
	if err := write(filepath.Join(dir, "config.pbtxt"), settings); err != nil {
		return err
	}
	if m.program == "" {
		return os.MkdirAll(filepath.Join(dir, "1"), 0o755)
	}
	program, err := os.ReadFile(filepath.Join(qa, m.program))
	if err != nil {
		return err
	}
	return write(filepath.Join(dir, "1", "model.py"), program)
}
