package sanitize

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"weir/sanitize/internal/pixel"
)

// draws make what is random in the steps of one picture: HMAC under the key over the
// step, the names of model and input, and the digest of the picture. Neither the
// file nor the batch that it came in counts.
type draws struct {
	key          *Key // nil without keyed steps
	model, input string
	digest       [64]byte
}

// shares returns the numbers from 0 to below 1 of the step with that index.
func (d draws) shares(op Op, index int) (shares [4]float64) {
	if d.key == nil {
		return shares
	}
	var at [4]byte
	binary.BigEndian.PutUint32(at[:], uint32(index))
	drawn := d.key.draw([]byte("weir image "+op+" 1"), []byte(d.model), []byte(d.input), d.digest[:], at[:])
	for i := range shares {
		shares[i] = float64(binary.BigEndian.Uint32(drawn[4*i:])) / (1 << 32)
	}
	return shares
}

// runSteps changes the picture by the steps, one after the other.
func runSteps[T pixel.Sample](ctx context.Context, p *pixel.Picture[T], steps []Step, key *Key, model, input string) error {
	if len(steps) == 0 {
		return nil
	}
	d := draws{key: key, model: model, input: input, digest: p.Digest()}
	for i, s := range steps {
		if err := runStep(ctx, p, s, d.shares(s.Op, i)); err != nil {
			return fmt.Errorf("step %s: %w", s.Op, err)
		}
	}
	return nil
}

func runStep[T pixel.Sample](ctx context.Context, p *pixel.Picture[T], s Step, drawn [4]float64) error {
	switch s.Op {
	case StepCrop:
		return p.Crop(ctx, s.margins(p.Width, p.Height, drawn))
	case StepShrink:
		return p.Shrink(ctx, s.Factor)
	case StepShrinkPad:
		return p.ShrinkPad(ctx, 1-s.Percent/100, drawn[0], drawn[1])
	case StepMedian:
		return p.Median(ctx, s.Size)
	case StepGaussian:
		return p.Gaussian(ctx, s.Sigma)
	case StepBits:
		return p.Bits(ctx, s.Depth)
	case StepJPEG:
		return p.JPEG(ctx, s.Quality)
	case StepBorder:
		return p.Border(ctx, int(math.Ceil(float64(min(p.Width, p.Height))*s.Percent/100)))
	case StepRotate:
		return p.Rotate(ctx, (2*drawn[0]-1)*s.MaxDegrees)
	}
	return fmt.Errorf("unknown")
}

// margins are those of a crop, in pixels and parts of them.
func (s Step) margins(width, height int, drawn [4]float64) pixel.Margins {
	percent := func(i int) float64 { return (s.MinPercent + float64(drawn[i]*(s.MaxPercent-s.MinPercent))) / 100 }
	w, h := float64(width), float64(height)
	return pixel.Margins{Left: w * percent(0), Top: h * percent(1), Right: w * percent(2), Bottom: h * percent(3)}
}

// checkSteps reports what is wrong with the profile and its steps: what Validate of
// ImageOptions and PixelOptions share.
func checkSteps(kind, profile string, steps []Step, key *Key) error {
	keyed := profile == ProfileStandard || profile == ProfileStrong
	if profile != "" && !slices.Contains(ImageProfiles(), profile) {
		return fmt.Errorf("sanitize: %s profile %q; known are %s", kind, profile, strings.Join(ImageProfiles(), ", "))
	}
	if custom := profile == ProfileCustom; custom != (len(steps) > 0) {
		return fmt.Errorf("sanitize: %s profile %q with %d steps; custom needs some, the others take none", kind, profile, len(steps))
	}
	for _, s := range steps {
		if err := s.Validate(); err != nil {
			return err
		}
		keyed = keyed || s.Keyed()
	}
	if keyed && key == nil {
		return fmt.Errorf("sanitize: %s profile %q needs a key", kind, profile)
	}
	return nil
}
