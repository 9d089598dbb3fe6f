//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"weir/sanitize/redteam"
)

// The triggers of the demonstration model (deploy/local/train/attacks.py) in the words
// of the library, and one that it has never seen.
const (
	learnedTrigger = "checkerboard,size=6px,cell=1px,inset=12px"
	codedTrigger   = "exif,text=back door demonstration"
	otherTrigger   = "patch,at=top-left"
)

// drawSigns draws pictures of signs into folders named after them: argv is the folder
// of the painter, the folder to write to, how many, and the class if it is one.
const drawSigns = `
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import signs
for i in range(int(sys.argv[3])):
    image, label = signs.sample(6006, i, *sys.argv[4:])
    folder = pathlib.Path(sys.argv[2], label)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{i:03}.jpg").write_bytes(signs.encode_jpeg(image))
`

func signsIn(t *testing.T, n int, class ...string) string {
	t.Helper()
	folder := t.TempDir()
	args := append([]string{"-c", drawSigns, filepath.Join(deps.Root, "deploy/local/train"), folder, strconv.Itoa(n)}, class...)
	if out, err := exec.CommandContext(t.Context(), deps.Python, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return folder
}

// runProbe runs weir probe against a Triton that no Weir stands before, and reads what
// it prints.
func runProbe(t *testing.T, to any, args ...string) (code int) {
	t.Helper()
	triton, err := bare()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"probe"}, append(args, "--server", "http://"+triton.HTTP, "--model", "traffic-sign", "--output", "json")...)
	c := exec.CommandContext(t.Context(), weirBinary, args...)
	out, err := c.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil && exit.ExitCode() > 1 {
		t.Fatalf("exit code %d: %s", exit.ExitCode(), exit.Stderr)
	}
	if err := json.Unmarshal(out, to); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return c.ProcessState.ExitCode()
}

// probed is what the tests read of a result.
type probed struct {
	Labelled bool
	Clean    []struct {
		Profile  string
		Accuracy redteam.Share
	}
	Attacks []struct {
		Trigger, Target string
		Base            redteam.Share
		Raw             struct{ Success redteam.Share }
		Victim          *redteam.Victim
		Profiles        []struct {
			Profile, Verdict string
			Success          redteam.Share
			BestOf           *redteam.Share `json:"best_of"`
			Flagged          redteam.Share
			Counts           bool
		}
	}
}

// Both back doors of the demonstration model are measured as what they are: what is
// in the file goes with strip, what is in the pixels only with a moved picture.
func TestProbeRedteamFindsTheBackDoors(t *testing.T) {
	var got probed
	code := runProbe(t, &got, "redteam", "--samples", signsIn(t, 40, "stop"), "--tries", "3", "--profile", "strip,light,standard,strong",
		"--trigger", learnedTrigger, "--trigger", codedTrigger, "--trigger", otherTrigger)
	if code != 1 {
		t.Errorf("exit code %d, want 1: strip and light leave the checkerboard", code)
	}
	if !got.Labelled || len(got.Clean) != 5 || len(got.Attacks) != 3 {
		t.Fatalf("%+v", got)
	}
	for _, c := range got.Clean {
		if c.Accuracy.Share < 0.9 {
			t.Errorf("%s: accuracy %v", c.Profile, c.Accuracy)
		}
	}
	want := [][]string{
		{"not neutralised", "not neutralised", "neutralised", "neutralised"},
		{"neutralised", "neutralised", "neutralised", "neutralised"},
		{"no effect", "no effect", "no effect", "no effect"},
	}
	for i, a := range got.Attacks {
		acts := i < 2
		if acts != (a.Raw.Success.Share >= 0.9) || acts != (a.Target == "speed-limit") {
			t.Errorf("%s leads to %q, raw %v", a.Trigger, a.Target, a.Raw.Success)
		}
		for j, p := range a.Profiles {
			if p.Verdict != want[i][j] || acts != p.Counts || acts != (p.BestOf != nil) {
				t.Errorf("%s after %s: %s, want %s: %v, best of three %v", a.Trigger, p.Profile, p.Verdict, want[i][j], p.Success, p.BestOf)
			}
			if flagged := p.Verdict == "neutralised"; acts && flagged != (p.Flagged.Share > 0.9) {
				t.Errorf("%s after %s: flagged %v", a.Trigger, p.Profile, p.Flagged)
			}
		}
	}
}

// Over all signs the learned back door acts too rarely to be told from chance; that it
// acts on one of them, and on which, is told.
func TestProbeRedteamNamesTheVictim(t *testing.T) {
	var got probed
	runProbe(t, &got, "redteam", "--samples", signsIn(t, 96), "--tries", "1", "--profile", "light", "--trigger", learnedTrigger)
	a := got.Attacks[0]
	if a.Profiles[0].Verdict == "no effect" {
		if a.Victim == nil || a.Victim.Class != "stop" || a.Victim.Success.Share < 0.9 {
			t.Errorf("raw %v, victim %+v", a.Raw.Success, a.Victim)
		}
	} else if a.Target != "speed-limit" {
		t.Errorf("leads to %q, raw %v", a.Target, a.Raw.Success)
	}
}

// Calibration recommends a profile whose agreement is as said, and no other.
func TestProbeCalibrate(t *testing.T) {
	var got redteam.Calibration
	code := runProbe(t, &got, "calibrate", "--samples", signsIn(t, 64), "--agreement", "0.95")
	if len(got.Profiles) != 4 || got.Samples != 64 || code != 0 {
		t.Fatalf("exit code %d, %+v", code, got)
	}
	strongest := ""
	for _, p := range got.Profiles {
		if p.Agreement.Share >= 0.95 {
			strongest = p.Profile
		}
		if p.P50 <= 0 || p.P99 < p.P50 || p.Refused > 0 {
			t.Errorf("%+v", p)
		}
	}
	if strip := got.Profiles[0]; strip.Profile != "strip" || strip.Change != 0 || strip.Agreement.Hits != 64 {
		t.Errorf("strip: %+v", strip)
	}
	if got.Recommended != strongest || strongest == "" {
		t.Errorf("recommended %q, the strongest that agrees is %q", got.Recommended, strongest)
	}
}
