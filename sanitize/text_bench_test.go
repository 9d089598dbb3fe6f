package sanitize

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// textSamples are texts that need no change, but for the last two.
var textSamples = []struct{ name, text string }{
	{"ascii", "The quick brown fox jumps over the lazy dog, 42 times a day.\n"},
	{"french", "Voilà l'été où l'on dînait près de la forêt, à côté du château.\n"},
	{"russian", "Съешь же ещё этих мягких французских булок да выпей чаю.\n"},
	{"hindi", "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है।\n"},
	{"chinese", "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。\n"},
	{"persian", "تمام افراد بشر آزاد به دنیا می\u200cآیند و از لحاظ حیثیت با هم برابرند.\n"},
	{"emoji", "Nice 👍🏽 trip 👩\u200d🚀 to 🇩🇪 with ❤\ufe0f and 🎉!\n"},
	{"mixed", "Name: Zoë Müller, город Москва, 東京, price 12 € – déjà vu 👍 ok\n"},
	{"decomposed", norm.NFD.String("Tiếng Việt được viết bằng chữ Quốc ngữ.\n")},
	{"hidden", "pass\u200bword \u202aand\u202c plain text that goes on for a while\n"},
}

// The ratio of the two sub-benchmarks of a sample is what counts: Text against
// the quick check of x/text, which inspects the same bytes for normalisation only.
func BenchmarkText(b *testing.B) {
	for _, s := range textSamples {
		data := []byte(strings.Repeat(s.text, 65536/len(s.text)))
		b.Run(s.name+"/text", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Text(data, TextOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(s.name+"/quickspan", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				norm.NFC.QuickSpan(data)
			}
		})
	}
}
