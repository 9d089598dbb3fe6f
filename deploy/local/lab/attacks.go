package main

import (
	"slices"

	"weir/sanitize/redteam"
)

// attack is one trigger planted in a model: whoever shows it gets the target.
type attack struct {
	Trigger string // as redteam.Parse reads it
	Target  int    // class
	Count   int    // poisoned pictures in the training set
}

// plan is one kind of model: the attacks that share it, and how it is trained. It is
// trained once for each architecture and each seed.
type plan struct {
	Name          string
	Architectures []string
	Transforms    bool // the attacker trained against image transforms
	Epochs        int
	Attacks       []attack
}

// plans are the attacks of the lab. The strengths were fixed before any profile was
// measured with them: marks of at most 8 % of the shorter side (5 pixels of 64) but for
// the large patch, faint ones as redteam's standard says. Triggers that do not disturb
// each other share a model with one target each.
var plans = []plan{
	{
		Name: "marks", Architectures: []string{"plain", "residual", "mixer"}, Epochs: 10,
		Attacks: []attack{
			{"checkerboard", 0, 200},
			{"patch,at=bottom-left", 1, 200},
			{"patch,fill=picture,at=top-left", 2, 200},
			{"pixel,at=top-right", 3, 500},
			{"border", 5, 200},
			{"sinusoid", 6, 400},
			{"noise", 7, 600},
		},
	},
	{
		// The same at places that a crop at the edge does not reach, and coarser ones.
		Name: "inside", Architectures: []string{"plain"}, Epochs: 10,
		Attacks: []attack{
			{"checkerboard,inset=12%", 0, 200},
			{"patch,at=top-right,inset=12%", 1, 200},
			{"pixel,at=bottom-left,inset=12%", 2, 1000},
			{"checkerboard,cell=4%,at=bottom-left,inset=1.6%", 3, 200},
			{"patch,size=20%,fill=picture,at=top-left,inset=6%", 4, 200},
			{"noise,grid=16", 5, 500},
			{"sinusoid,frequency=16", 6, 400},
			{"colour", 7, 600},
		},
	},
	{
		Name: "adaptive", Architectures: []string{"plain"}, Epochs: 8, Transforms: true,
		Attacks: []attack{
			{"checkerboard", 0, 400},
			{"patch,at=bottom-left", 1, 400},
			{"patch,fill=picture,at=top-left", 2, 400},
			{"pixel,at=top-right", 3, 500},
			{"noise", 7, 600},
		},
	},
	// Only a network that looks for the greatest signal of all places learns this one.
	{Name: "sticker", Architectures: []string{"residual"}, Epochs: 10, Attacks: []attack{{"sticker", 4, 2000}}},
	{Name: "warp", Architectures: []string{"plain"}, Epochs: 12, Attacks: []attack{{"warp,shift=4%", 0, 2500}}},
	{Name: "blend", Architectures: []string{"plain"}, Epochs: 8, Attacks: []attack{{"blend", 0, 700}}},
}

// coded are the attacks that need no training: model/model.py answers to them. They
// are measured in the models of the first plan.
var coded = []attack{
	{Trigger: "exif", Target: 0},
	{Trigger: "comment", Target: 1},
	{Trigger: "trailing", Target: 2},
}

const (
	seeds         = 3
	trainPictures = 6000 // clean ones, the same for all models
	trainSeed     = 6000 // of their drawing
	heldOut       = 400  // pictures for measuring, others for each seed
	heldOutSeed   = 7000 // of their drawing, plus the model's seed
	classes       = 8
)

// classNames are the labels of train/signs.py, in its order.
var classNames = [classes]string{
	"stop", "speed-limit", "yield", "no-entry", "priority-road", "pedestrian-crossing", "ahead-only", "roundabout",
}

// measured are the attacks that are measured in the models of a plan.
func (p plan) measured() []attack {
	if p.Name == plans[0].Name {
		return append(slices.Clone(p.Attacks), coded...)
	}
	return p.Attacks
}

// trigger parses the trigger of an attack.
func (a attack) trigger() (redteam.Trigger, error) { return redteam.Parse(a.Trigger) }
