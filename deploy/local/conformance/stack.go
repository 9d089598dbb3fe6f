package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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
	ports      [3]*forwarder // 8000, 8001 and 8002
	starts     int

	triton *local.Triton
	weir   *local.Weir
	envoy  *local.Envoy
	seen   map[string]bool // ids of decisions of Weir's that were looked at
}

// start starts everything and leads the ports there.
func (s *stack) start(ctx context.Context) error {
	s.starts++
	dir := filepath.Join(s.dir, fmt.Sprintf("%d", s.starts))
	options := local.TritonOptions{Repository: s.repository, LogDir: dir, Args: s.group.args}
	if s.group.explicit {
		options.Models = s.group.models
	}
	var err error
	if s.triton, err = local.StartTriton(ctx, s.deps, options); err != nil {
		return err
	}
	s.ports[2].target.Store(s.triton.Metrics)
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
	if s.group.locked {
		return nil
	}
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
		// That it has ended is enough: it may have crashed, and some tests leave requests
		// behind with which it does not end in time, for which it exits with an error.
		_ = s.triton.Stop(ctx)
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
			if (one.Verdict == "block" || one.Verdict == "error") && one.Reason != "" {
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
