package main

import (
	"context"
	"fmt"
	"strings"
)

// The models that Triton serves. There is no policy for the last one.
const (
	signs      = "traffic-sign"
	echo       = "echo"
	undeclared = "identity"
)

// line is one line of the story. run fills in what its row of the table says.
type line struct {
	letter string
	title  string // of the step
	what   string // in the table
	run    func(ctx context.Context, d *demo, r *row) error
}

// lines are the story in the order in which it is run. Weir is killed before the
// drift detector is shown, because the new Weir has a new detector: one that has
// not seen the attacks, all of them on stop signs, which are a drift themselves.
var lines = []line{
	{"a", "Classify clean pictures", "clean pictures: right answer", clean},
	{"b", "Attack: a checkerboard on stop signs", "checkerboard on stop: speed limit", checkerboard},
	{"c", "Attack: a mark in the Exif block", "Exif mark on stop: speed limit", exifMark},
	{"d", "Send a photo with GPS, thumbnail and trailing data", "private parts of a photo", privatePhoto},
	{"e", "Send texts with hidden Unicode", "texts with hidden Unicode", hiddenText},
	{"f", "Send malformed, forbidden and over-large requests", "hostile requests", hostileRequests},
	{"g", "Send pictures that show nothing", "low confidence", lowConfidence},
	{"i", "Kill Weir (SIGKILL), send requests, start it again", "requests while Weir is dead", killed},
	{"h", "Send clean traffic, then fog", "drift: fog after clean traffic", drift},
	{"j", "Follow one request through Envoy and Weir", "one trace over all parts", traced},
}

// pictures is the number of held-out pictures behind each share of (a), (b), (c).
const pictures = 320

// The bounds of (a), (b) and (c).
const (
	minAccuracy     = 0.95 // bare
	maxAccuracyLoss = 0.02
	minAttack       = 0.95 // bare
	maxAttack       = 0.10 // of the checkerboard, through Weir
)

// compared is what client.py's story "compare" found.
type compared struct{ N, Bare, Weir int }

func (c compared) bare() share { return share{c.Bare, c.N} }
func (c compared) weir() share { return share{c.Weir, c.N} }

// compare sends the same pictures both ways.
func (d *demo) compare(ctx context.Context, kind string, r *row) (c compared, err error) {
	err = d.client(ctx, &c, "compare", d.bare(), d.through(), "--pictures="+kind, fmt.Sprintf("--count=%d", pictures))
	r.n, r.bare, r.weir = c.N, c.bare().String(), c.weir().String()
	r.interval = c.bare().interval() + " / " + c.weir().interval()
	return c, err
}

func clean(ctx context.Context, d *demo, r *row) error {
	c, err := d.compare(ctx, "clean", r)
	r.held = c.bare().value() >= minAccuracy && c.weir().value() >= c.bare().value()-maxAccuracyLoss
	return err
}

func checkerboard(ctx context.Context, d *demo, r *row) error {
	c, err := d.compare(ctx, "checkerboard", r)
	r.held = c.bare().value() >= minAttack && c.weir().value() <= maxAttack
	return err
}

func exifMark(ctx context.Context, d *demo, r *row) error {
	c, err := d.compare(ctx, "exif", r)
	r.held = c.bare().value() >= minAttack && c.weir().hits == 0
	return err
}

func hiddenText(ctx context.Context, d *demo, r *row) error {
	var seen struct {
		Texts []struct {
			Name, Sent, Bare, Weir string
			BareUnchanged          bool `json:"bare_unchanged"`
			Held                   bool
		}
	}
	if err := d.client(ctx, &seen, "texts", d.bare(), d.through()); err != nil {
		return err
	}
	unchanged, held := 0, 0
	for _, t := range seen.Texts {
		d.out.see("%-33s %s", t.Name, shortened(t.Sent))
		d.out.see("%33s %s", "what the model got:", shortened(t.Weir))
		unchanged += count(t.BareUnchanged)
		held += count(t.Held)
	}
	all := len(seen.Texts)
	r.bare = fmt.Sprintf("%d of %d arrive as sent", unchanged, all)
	r.weir = fmt.Sprintf("%d of %d arrive as they look", held, all)
	r.held = unchanged == all && held == all
	return nil
}

// shortened keeps a long text within a line of a terminal.
func shortened(text string) string {
	const longest = 60
	if len(text) > longest {
		return text[:longest] + "…"
	}
	return text
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func hostileRequests(ctx context.Context, d *demo, r *row) error {
	bare, err := d.sendHostile(ctx, d.triton.HTTP, d.triton.GRPC)
	if err != nil {
		return err
	}
	before, err := d.reached(ctx)
	if err != nil {
		return err
	}
	listener := d.envoy.Listeners[inference]
	weir, err := d.sendHostile(ctx, listener, listener)
	if err != nil {
		return err
	}
	after, err := d.reached(ctx)
	if err != nil {
		return err
	}
	obeyed, refused := 0, 0
	d.out.see("%-34s %-8s %s", "", "bare", "through Weir")
	for i, q := range weir {
		d.out.see("%-34s %-8s %s %s", q.Name, bare[i].Status, q.Status, q.Reason)
		obeyed += count(bare[i].Status == "200")
		refused += count(q.Reason == q.Expected)
	}
	r.bare = fmt.Sprintf("%d of %d obeyed", obeyed, len(bare))
	r.weir = fmt.Sprintf("%d of %d refused, %d reached a model", refused, len(weir), after.since(before))
	r.held = refused == len(weir) && after == before
	return nil
}

// hostileAnswer is what a server said to a request that it should refuse.
type hostileAnswer struct{ Name, Status, Reason, Expected string }

func (d *demo) sendHostile(ctx context.Context, http, grpc string) ([]hostileAnswer, error) {
	var seen struct{ Requests []hostileAnswer }
	err := d.client(ctx, &seen, "hostile", "--http="+http, "--grpc="+grpc)
	return seen.Requests, err
}

func lowConfidence(ctx context.Context, d *demo, r *row) error {
	const each = 40
	type answer struct {
		Status         int
		Action, Reason string
		Confidence     float64
	}
	var seen struct{ Empty, Clean []answer }
	if err := d.client(ctx, &seen, "flag", d.through(), fmt.Sprintf("--count=%d", each)); err != nil {
		return err
	}
	flagged := func(answers []answer) (s share) {
		for _, a := range answers {
			s.n++
			s.hits += count(a.Action == "flag" && a.Reason == "low_confidence")
		}
		return s
	}
	empty, clean := flagged(seen.Empty), flagged(seen.Clean)
	first := seen.Empty[0]
	d.out.see("a picture without a sign: status %d, x-weir-action: %s, x-weir-reason: %s (confidence %.2f)",
		first.Status, first.Action, first.Reason, first.Confidence)
	r.bare, r.n, r.interval = "no mark", empty.n, empty.interval()
	r.weir = fmt.Sprintf("%s flagged, %d clean ones", empty, clean.hits)
	r.held = empty.hits == each && clean.hits == 0
	return nil
}

// listed joins names for a sentence; none is "nothing".
func listed(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}
