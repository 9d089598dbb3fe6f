package redteam

import (
	"context"

	"weir/sanitize"
)

// ImageProfile is the profile of sanitize.Image with these options, under a name.
func ImageProfile(name string, o sanitize.ImageOptions) Profile {
	return Profile{Name: name, Sanitize: func(ctx context.Context, file []byte) ([]byte, error) {
		out, _, err := sanitize.Image(ctx, file, o)
		return out, err
	}}
}
