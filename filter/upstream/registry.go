package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"weir/filter/codec"
	"weir/filter/policy"
)

// Source is what a Registry reads from; *Client, *OpenAI and *Upload are some.
type Source interface {
	Signature(ctx context.Context, model, version string) (*codec.Signature, error)
	Versions(ctx context.Context, model string) ([]string, error)
	Models(ctx context.Context, glob string) ([]string, error)
}

// Sources are the servers by the protocol of the rule sets. OpenAI and Upload are nil if
// no rule set needs them.
type Sources struct{ V2, OpenAI, Upload Source }

func (s Sources) of(m *policy.Model) Source {
	switch m.Protocol {
	case codec.OpenAI:
		return s.OpenAI
	case codec.Upload:
		return s.Upload
	default:
		return s.V2
	}
}

// State is what is known of one rule set of the policy.
type State struct {
	Pattern string
	Ready   bool
	Reason  string // why not ready
}

// Registry holds the signatures of the models of one policy. Run reads them in
// the background until all are there, and goes on looking for changes. It is
// safe for concurrent use.
type Registry struct {
	sources Sources
	policy  *policy.Policy
	log     *slog.Logger

	mu     sync.RWMutex
	known  map[string]map[string]*codec.Signature // model → version
	failed map[string]string                      // pattern → why not ready
}

// The pace of Run.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 5 * time.Second
	recheck    = 30 * time.Second
	logEvery   = time.Minute
)

// NewRegistry returns a registry in which no model is ready.
func NewRegistry(sources Sources, p *policy.Policy, log *slog.Logger) *Registry {
	r := &Registry{sources: sources, policy: p, log: log,
		known: map[string]map[string]*codec.Signature{}, failed: map[string]string{}}
	for _, m := range p.Models() {
		r.failed[m.Pattern] = "not read from the model server yet"
	}
	return r
}

// Inherit takes over the signatures of an older registry that fit this one's
// policy, so that a reload does not refuse requests while it reads them anew.
func (r *Registry) Inherit(old *Registry) {
	if old == nil {
		return
	}
	old.mu.RLock()
	defer old.mu.RUnlock()
	lacking := map[*policy.Model]bool{} // a signature that does not fit
	for name, versions := range old.known {
		m := r.policy.Model(name)
		if m == nil {
			continue
		}
		for version, s := range versions {
			if m.Allows(version) && m.Fits(s) == nil {
				r.store(s)
			} else {
				lacking[m] = true
			}
		}
	}
	for _, m := range r.policy.Models() {
		if r.complete(m) || policy.IsGlob(m.Pattern) && old.isReady(m.Pattern) && !lacking[m] {
			delete(r.failed, m.Pattern)
		}
	}
}

// complete reports whether all versions of a model with a plain name are known
// that its rules name, and at least one.
func (r *Registry) complete(m *policy.Model) bool {
	known := r.known[m.Pattern]
	return len(known) > 0 && !slices.ContainsFunc(m.Versions, func(v string) bool { return known[v] == nil })
}

// isReady reports whether there is a rule set with this pattern and it is ready.
func (r *Registry) isReady(pattern string) bool {
	_, failed := r.failed[pattern]
	return !failed && slices.ContainsFunc(r.policy.Models(), func(m *policy.Model) bool { return m.Pattern == pattern })
}

// Lookup returns the signature of a model version; version "" is the newest.
func (r *Registry) Lookup(model, version string) (*codec.Signature, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	versions := r.known[model]
	if version == "" {
		version = newest(versions)
	}
	if s := versions[version]; s != nil {
		return s, nil
	}
	return nil, errors.New("the model was not read from the model server, or differs from the policy")
}

func newest(versions map[string]*codec.Signature) string {
	best, bestNumber := "", int64(-1)
	for v := range versions {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > bestNumber {
			best, bestNumber = v, n
		}
	}
	return best
}

// States lists the rule sets of the policy with their readiness.
func (r *Registry) States() []State {
	r.mu.RLock()
	defer r.mu.RUnlock()
	models := r.policy.Models()
	states := make([]State, len(models))
	for i, m := range models {
		why, failed := r.failed[m.Pattern]
		states[i] = State{Pattern: m.Pattern, Ready: !failed, Reason: why}
	}
	return states
}

// Ready reports whether every model of the policy was read and matched.
func (r *Registry) Ready() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.failed) == 0
}

// Run reads the signatures until ctx ends: with backoff while one is missing,
// then every half minute. It says once a minute what is missing.
func (r *Registry) Run(ctx context.Context) {
	wait, lastLog := firstRetry, time.Time{}
	for {
		r.refresh(ctx)
		pause := recheck
		if !r.Ready() {
			if now := time.Now(); now.Sub(lastLog) >= logEvery {
				lastLog = now
				r.logMissing(ctx)
			}
			pause = wait/2 + rand.N(wait)
			wait = min(wait*2, lastRetry)
		} else {
			wait = firstRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (r *Registry) logMissing(ctx context.Context) {
	for _, s := range r.States() {
		if !s.Ready && ctx.Err() == nil {
			r.log.Warn("model is not ready; its requests are refused", "model", s.Pattern, "reason", s.Reason)
		}
	}
}

// refresh reads every rule set once. A server that does not answer leaves what
// was known; one that answers differently takes it back.
func (r *Registry) refresh(ctx context.Context) {
	for _, m := range r.policy.Models() {
		signatures, err := r.read(ctx, m)
		if ctx.Err() != nil {
			return
		}
		r.mu.Lock()
		var mismatch *mismatchError
		switch {
		case err == nil:
			r.replace(m, signatures)
			delete(r.failed, m.Pattern)
		case errors.As(err, &mismatch):
			delete(r.known[mismatch.model], mismatch.version)
			r.failed[m.Pattern] = err.Error()
		case r.failed[m.Pattern] != "":
			r.failed[m.Pattern] = err.Error()
		}
		r.mu.Unlock()
	}
}

// replace makes signatures all that is known of the models of one rule set, so
// that a version which the server no longer has is not the newest.
func (r *Registry) replace(m *policy.Model, signatures []*codec.Signature) {
	for name := range r.known {
		if r.policy.Model(name) == m {
			delete(r.known, name)
		}
	}
	for _, s := range signatures {
		r.store(s)
	}
}

func (r *Registry) store(s *codec.Signature) {
	if r.known[s.Model] == nil {
		r.known[s.Model] = map[string]*codec.Signature{}
	}
	r.known[s.Model][s.Version] = s
}

// read reads all model versions that one rule set covers; none is an error.
func (r *Registry) read(ctx context.Context, m *policy.Model) ([]*codec.Signature, error) {
	names, err := r.names(ctx, m)
	if err != nil {
		return nil, err
	}
	var all []*codec.Signature
	for _, name := range names {
		versions := m.Versions
		if len(versions) == 0 {
			var err error
			if versions, err = r.sources.of(m).Versions(ctx, name); err != nil {
				return nil, fmt.Errorf("model %q: %w", name, err)
			}
		}
		for _, version := range versions {
			s, err := r.signature(ctx, m, name, version)
			if err != nil {
				return nil, err
			}
			all = append(all, s)
		}
	}
	if len(all) == 0 && len(names) > 0 {
		return nil, errNoModel
	}
	return all, nil
}

// names lists the models that one rule set covers: those that its pattern
// matches, but for those that have more specific rules. That may leave none.
func (r *Registry) names(ctx context.Context, m *policy.Model) ([]string, error) {
	if !policy.IsGlob(m.Pattern) {
		return []string{m.Pattern}, nil
	}
	names, err := r.sources.of(m).Models(ctx, m.Pattern)
	if err == nil && len(names) == 0 {
		err = errNoModel
	}
	return slices.DeleteFunc(names, func(name string) bool { return r.policy.Model(name) != m }), err
}

var errNoModel = errors.New("the model server has no such model")

func (r *Registry) signature(ctx context.Context, m *policy.Model, name, version string) (*codec.Signature, error) {
	s, err := r.sources.of(m).Signature(ctx, name, version)
	if err != nil {
		return nil, fmt.Errorf("model %q version %s: %w", name, version, err)
	}
	if err := m.Fits(s); err != nil {
		return nil, &mismatchError{name, version, err}
	}
	return s, nil
}

// mismatchError is a signature that does not fit the policy.
type mismatchError struct {
	model, version string
	err            error
}

func (e *mismatchError) Error() string {
	return fmt.Sprintf("model %q version %s does not fit the policy: %v", e.model, e.version, e.err)
}

func (e *mismatchError) Unwrap() error { return e.err }
