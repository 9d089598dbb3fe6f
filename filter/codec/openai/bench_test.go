package openai

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"weir/filter/codec"
)

// BenchmarkRequest reads and writes what clients send: a long conversation, and a
// picture of 1 MiB.
func BenchmarkRequest(b *testing.B) {
	message := `{"role":"user","content":"` + strings.Repeat("Lorem ipsum dolor sit amet, ", 20) + `"},`
	file := append(picture(b), bytes.Repeat([]byte{1, 2, 3, 4}, 1<<18)...)
	for name, body := range map[string]string{
		"conversation": `{"model":"m","messages":[` + strings.TrimSuffix(strings.Repeat(message, 200), ",") + `]}`,
		"picture":      user(fmt.Sprintf(`[{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}]`, base64Of(file))),
	} {
		b.Run(name, func(b *testing.B) {
			limits := fuzzLimits
			limits.MaxBodyBytes = 4 << 20
			c := newCodec(b, "", limits)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				request, err := c.DecodeRequest(codec.Route{Operation: codec.ChatCompletions}, nil, []byte(body))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.EncodeRequest(request, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
