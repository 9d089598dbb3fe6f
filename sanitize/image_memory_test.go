package sanitize

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"testing"
	"time"
)

// An image whose pixel steps need memory that others hold waits for it, as long as
// its deadline allows; one without such steps does not.
func TestPixelStepsShareMemory(t *testing.T) {
	var file bytes.Buffer
	if err := jpeg.Encode(&file, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		t.Fatal(err)
	}
	m := NewMemory(64)
	release, err := m.take(t.Context(), 1<<30) // more than there is: all of it
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err = Image(ctx, file.Bytes(), ImageOptions{Profile: ProfileLight, Memory: m})
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Reason != DeadlineExceeded {
		t.Errorf("light without memory: %v, want %s", err, DeadlineExceeded)
	}
	if _, _, err := Image(t.Context(), file.Bytes(), ImageOptions{Memory: m}); err != nil {
		t.Errorf("strip without memory: %v", err)
	}
	release()
	for range 2 { // what the first takes it gives back
		if _, _, err := Image(t.Context(), file.Bytes(), ImageOptions{Profile: ProfileLight, Memory: m}); err != nil {
			t.Errorf("light with memory: %v", err)
		}
	}
}
