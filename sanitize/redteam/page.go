package redteam

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"short": short,
	"data":  dataURI,
	"bar":   newBar,
	"share": best,
	"deref": func(s *Share) Share { return *s },
	"class": func(v Verdict) string {
		first, _, _ := strings.Cut(v.String(), " ") // "no effect" has no style
		return first
	},
	"percent": func(s Share) string {
		return fmt.Sprintf("%.1f %%", 100*s.Share)
	},
	"notes": (*Result).remarks,
}).Parse(pageText))

// Page writes the result as one HTML file, which holds all that it shows, loads
// nothing and runs no script. It holds pictures of one sample for each trigger.
func (r *Result) Page(w io.Writer) error { return pageTemplate.Execute(w, r) }

// dataURI is safe as an address: its type is fixed, and the rest is base64.
func dataURI(png []byte) template.URL {
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png))
}

// barWidth is the length of 100 %, in units of the drawing.
const barWidth = 200

// barShape is where the parts of a bar stand.
type barShape struct {
	Length, Low, High float64
	Text              string
}

func newBar(s Share) barShape {
	return barShape{Length: barWidth * s.Share, Low: barWidth * s.Low, High: barWidth * s.High, Text: s.String()}
}
