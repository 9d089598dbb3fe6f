package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// traced sends one request as a part of a trace that begins in the client, and
// shows the spans that Envoy and Weir send for it.
func traced(ctx context.Context, d *demo, r *row) error {
	ids := make([]byte, 24)
	_, _ = rand.Read(ids) // never fails
	traceID, root := hex.EncodeToString(ids[:16]), hex.EncodeToString(ids[16:])
	d.spans.keep(traceID)
	var sent struct {
		Begin, End int64 // nanoseconds since 1970
		Labels     []string
	}
	// The W3C trace context: version, trace, parent, sampled.
	traceparent := fmt.Sprintf("00-%s-%s-01", traceID, root)
	if err := d.client(ctx, &sent, "trace", d.through(), "--traceparent="+traceparent); err != nil {
		return err
	}
	client := span{id: root, service: "client", name: fmt.Sprintf("classify %d pictures", len(sent.Labels)),
		begin: time.Unix(0, sent.Begin), end: time.Unix(0, sent.End)}
	spans, whole := d.collect(ctx, client)
	for _, line := range tree(spans) {
		d.out.see("%s", line)
	}
	services := make(map[string]int)
	for _, s := range spans {
		services[s.service]++
	}
	r.bare = "no spans"
	r.weir = fmt.Sprintf("%d spans of Envoy, %d of Weir", services["envoy"], services["weir"])
	r.held = whole && services["envoy"] > 0 && services["weir"] > 1
	return ctx.Err()
}

// collect waits, for up to 20 seconds, for the spans below root: Envoy and Weir
// send theirs every few seconds. whole says that one tree with spans of both has come.
func (d *demo) collect(ctx context.Context, root span) (spans []span, whole bool) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		spans = append([]span{root}, d.spans.kept()...)
		services := make(map[string]bool)
		for _, s := range spans {
			services[s.service] = true
		}
		if services["envoy"] && services["weir"] && connected(spans) == nil {
			return spans, true
		}
		select {
		case <-ctx.Done():
			return spans, false
		case <-tick.C:
		}
	}
}

// connected returns an error unless every span but the first has its parent
// among the spans.
func connected(spans []span) error {
	known := make(map[string]bool)
	for _, s := range spans {
		known[s.id] = true
	}
	for _, s := range spans[1:] {
		if !known[s.parent] {
			return errors.New("no parent for " + s.name)
		}
	}
	return nil
}

// tree draws the spans as a tree, one line each: children below their parent in
// the order of time, with when they began after the first span, how long they
// took, and notes. A span whose parent is not among them stands at the left.
func tree(spans []span) []string {
	known := make(map[string]bool)
	children := make(map[string][]span)
	for _, s := range spans {
		known[s.id] = true
	}
	for _, s := range spans {
		parent := s.parent
		if !known[parent] {
			parent = ""
		}
		children[parent] = append(children[parent], s)
	}
	for _, list := range children {
		slices.SortStableFunc(list, func(a, b span) int { return a.begin.Compare(b.begin) })
	}
	cells := [][]string{{"span", "begin", "took", ""}}
	var draw func(parent, indent string)
	draw = func(parent, indent string) {
		list := children[parent]
		for i, s := range list {
			branch, below := "├─ ", "│  "
			if i == len(list)-1 {
				branch, below = "└─ ", "   "
			}
			if parent == "" {
				branch, below = "", ""
			}
			cells = append(cells, []string{indent + branch + s.service + ": " + s.name,
				milliseconds(s.begin.Sub(spans[0].begin)), milliseconds(s.end.Sub(s.begin)), strings.Join(s.notes, " ")})
			draw(s.id, indent+below)
		}
	}
	draw("", "")
	return aligned(cells)
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
