package main

import (
	"context"
	"fmt"
	"syscall"
)

// reached says what has reached the models of Triton, in Triton's own words and
// in those of the echo model.
type reached struct {
	requests uint64 // Triton's counters of all models
	recorded int    // requests in the echo model's record
}

// since returns how many requests have reached a model after before was taken.
func (r reached) since(before reached) uint64 {
	return max(r.requests-before.requests, uint64(r.recorded-before.recorded))
}

func (d *demo) reached(ctx context.Context) (r reached, err error) {
	for _, model := range []string{signs, echo, undeclared} {
		counts, err := d.triton.Counts(ctx, model)
		if err != nil {
			return r, err
		}
		r.requests += counts.Success + counts.Failure
	}
	received, err := d.triton.Received()
	r.recorded = len(received)
	return r, err
}

// failed is a request that was sent while Weir was dead.
type failed struct {
	Status  string
	Seconds float64
}

func (d *demo) sendEchoes(ctx context.Context, n int) ([]failed, error) {
	var seen struct{ Requests []failed }
	err := d.client(ctx, &seen, "fail", d.through(), fmt.Sprintf("--count=%d", n))
	return seen.Requests, err
}

func killed(ctx context.Context, d *demo, r *row) error {
	before, err := d.reached(ctx)
	if err != nil {
		return err
	}
	if err := d.weir.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	if err := d.weir.Wait(); err != nil {
		return err
	}
	requests, err := d.sendEchoes(ctx, 20)
	if err != nil {
		return err
	}
	after, err := d.reached(ctx)
	if err != nil {
		return err
	}
	refused, slowest := 0, 0.0
	for _, q := range requests {
		refused += count(q.Status == "503")
		slowest = max(slowest, q.Seconds)
	}
	recovered, err := d.revive(ctx)
	if err != nil {
		return err
	}
	d.out.see("Envoy answered 503 to %d of %d requests, the slowest after %.3f s; after the restart: %s",
		refused, len(requests), slowest, recovered)
	r.bare = "no firewall to kill"
	r.weir = fmt.Sprintf("%d of %d fail, %d reach a model", refused, len(requests), after.since(before))
	r.held = refused == len(requests) && after == before && recovered == "200"
	return nil
}

// revive starts Weir again and returns the status of one request to it.
func (d *demo) revive(ctx context.Context) (string, error) {
	if err := d.weir.Start(ctx); err != nil {
		return "", err
	}
	if err := d.weir.WaitModels(ctx); err != nil {
		return "", err
	}
	requests, err := d.sendEchoes(ctx, 1)
	if err != nil {
		return "", err
	}
	return requests[0].Status, nil
}
