package redteam

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// CalibrateOptions say what Calibrate compares.
type CalibrateOptions struct {
	Predict   Predict
	Profiles  []Profile // from the weakest to the strongest
	Files     [][]byte  // samples as the model gets them; nobody needs to know what they show
	Agreement float64   // share of equal answers that a profile must have, above 0 to 1; 0: 0.99
	Batch     int       // files of one call of Predict; 0: 16
	Progress  func(done, all int)
}

const defaultAgreement = 0.99

// CalibrationSchema names the form of a Calibration as JSON, as Schema does.
const CalibrationSchema = "weir.calibration/v1"

// Calibration is what Calibrate has found. Its JSON holds no content.
type Calibration struct {
	Schema      string              `json:"schema"`
	Model       string              `json:"model,omitempty"` // for the caller to set
	Samples     int                 `json:"samples"`         // that the model answers
	Required    float64             `json:"required"`        // agreement
	Profiles    []CalibratedProfile `json:"profiles"`
	Recommended string              `json:"recommended"` // profile; "" if none agrees enough
	Certain     bool                `json:"certain"`     // the lower bound of its agreement is enough, too
	Predictions int                 `json:"predictions"`
	Notes       []string            `json:"notes"`
}

// CalibratedProfile is what one profile costs.
type CalibratedProfile struct {
	Profile   string  `json:"profile"`
	Agreement Share   `json:"agreement"`   // same answer as raw; a refusal is another one
	Change    float64 `json:"mean_change"` // mean absolute change of a score
	Refused   int     `json:"refused"`
	P50       float64 `json:"sanitise_p50_ms"` // time of the profile alone, one file after another
	P99       float64 `json:"sanitise_p99_ms"`
}

// Validate reports the first option that is not valid.
func (o CalibrateOptions) Validate() error {
	switch {
	case o.Predict == nil:
		return errors.New("redteam: no model to ask")
	case len(o.Profiles) == 0:
		return errors.New("redteam: no profile to compare")
	case len(o.Files) == 0:
		return errors.New("redteam: no samples")
	case o.Batch < 0:
		return errors.New("redteam: a negative batch")
	case !(o.Agreement >= 0 && o.Agreement <= 1):
		return fmt.Errorf("redteam: an agreement of %g; it has to be above 0 and at most 1", o.Agreement)
	}
	return nil
}

// Calibrate sends the files raw and through each profile, and recommends the last
// profile that has the agreement. Of few samples the agreement is uncertain: then
// Certain is false, and a note says how many would do. The error is of the options,
// of the model or of ctx.
func Calibrate(ctx context.Context, o CalibrateOptions) (*Calibration, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Agreement == 0 {
		o.Agreement = defaultAgreement
	}
	k := &calibration{asker: newAsker(o.Predict, o.Profiles, o.Batch, o.Progress),
		result: &Calibration{Schema: CalibrationSchema, Required: o.Agreement, Notes: []string{}}, sums: make([]sums, len(o.Profiles))}
	k.expect(len(o.Files) * len(k.legs))
	for start := 0; start < len(o.Files); start += k.batch {
		if err := k.compare(ctx, o.Files[start:min(start+k.batch, len(o.Files))]); err != nil {
			return nil, err
		}
	}
	return k.finish(len(o.Files))
}

// calibration is one run of Calibrate.
type calibration struct {
	asker
	result *Calibration
	sums   []sums // by profile
}

// sums are what is added up of one profile.
type sums struct {
	agreed, refused, scores int
	change                  float64
	times                   []time.Duration
}

// compare sends one batch.
func (k *calibration) compare(ctx context.Context, files [][]byte) error {
	raw, err := k.scores(ctx, k.legs[0], files)
	if err != nil {
		return err
	}
	for i, leg := range k.legs[1:] {
		clean, err := k.sums[i].sanitize(ctx, leg, files)
		if err != nil {
			return err
		}
		done := Profile{Name: leg.Name, Sanitize: func(_ context.Context, file []byte) ([]byte, error) { return file, nil }}
		rows, err := k.scores(ctx, done, clean)
		if err != nil {
			return err
		}
		for j := range files {
			if len(raw[j]) > 0 {
				k.sums[i].add(raw[j], rows[j])
			}
		}
	}
	for j := range files {
		if len(raw[j]) > 0 {
			k.result.Samples++
		}
	}
	return nil
}

// sanitize sanitises one file after another and takes the time. What is refused is nil.
func (s *sums) sanitize(ctx context.Context, p Profile, files [][]byte) ([][]byte, error) {
	out := make([][]byte, len(files))
	for i, file := range files {
		start := time.Now()
		clean, err := p.Sanitize(ctx, file)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil {
			out[i] = clean
			s.times = append(s.times, time.Since(start))
		}
	}
	return out, nil
}

// add compares the scores of one file; row is nil if it was refused.
func (s *sums) add(raw, row []float64) {
	if len(row) == 0 {
		s.refused++
		return
	}
	if top(raw) == top(row) {
		s.agreed++
	}
	for c := range raw {
		if d := math.Abs(row[c] - raw[c]); !math.IsNaN(d) && !math.IsInf(d, 0) {
			s.change += d
			s.scores++
		}
	}
}

// finish makes the result.
func (k *calibration) finish(files int) (*Calibration, error) {
	r := k.result
	if r.Samples == 0 {
		return nil, errors.New("redteam: the model refuses all of the samples")
	}
	if n := files - r.Samples; n > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d samples are left out, since the model refuses them", n))
	}
	r.Predictions = k.asked
	for i, leg := range k.legs[1:] {
		s := k.sums[i]
		slices.Sort(s.times)
		p := CalibratedProfile{Profile: leg.Name, Agreement: NewShare(s.agreed, r.Samples), Refused: s.refused,
			Change: s.change / float64(max(1, s.scores)), P50: quantile(s.times, 0.5), P99: quantile(s.times, 0.99)}
		r.Profiles = append(r.Profiles, p)
		if p.Agreement.Share >= r.Required {
			r.Recommended, r.Certain = p.Profile, p.Agreement.Low >= r.Required
		}
	}
	r.remark()
	return r, nil
}

// remark says how far the numbers can be trusted.
func (r *Calibration) remark() {
	need := samplesFor(r.Required)
	switch {
	case r.Certain || r.Recommended == "":
	case need == 0:
		r.Notes = append(r.Notes, "no number of samples can show an agreement of 100 %")
	case r.Samples < need:
		r.Notes = append(r.Notes, fmt.Sprintf("%d samples cannot show an agreement of %g %% with 95 %% confidence; at least %d can, if all of them agree", r.Samples, 100*r.Required, need))
	default:
		r.Notes = append(r.Notes, "the agreement may be lower than required by its interval; more samples tell")
	}
}

// samplesFor is the number of samples that show a share with 95 % confidence if all
// of them agree: n / (n + z²) has to reach it. 0: no number does.
func samplesFor(share float64) int {
	if share >= 1 {
		return 0
	}
	return int(math.Ceil(z95 * z95 * share / (1 - share)))
}

// quantile is that of sorted times, in milliseconds (nearest rank); 0 of none.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	return float64(sorted[max(0, i)]) / float64(time.Millisecond)
}
