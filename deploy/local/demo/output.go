package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// printer writes to the reader of the demonstration: one line for each step,
// what there is to see, and the table.
type printer struct {
	w      io.Writer
	colour bool
	seen   []string // printed after the step that found it
}

// newPrinter uses colour on a terminal, unless NO_COLOR is set (no-color.org).
func newPrinter(f *os.File) *printer {
	return &printer{w: f, colour: os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))}
}

// step prints a title, runs f, and prints how long it took.
func (p *printer) step(title string, f func() error) error {
	fmt.Fprintf(p.w, "%-58s", title)
	begin := time.Now()
	if err := f(); err != nil {
		fmt.Fprintln(p.w, "failed")
		return err
	}
	fmt.Fprintf(p.w, "%6.1f s\n", time.Since(begin).Seconds())
	return nil
}

// see keeps a line for details to print.
func (p *printer) see(format string, args ...any) {
	p.seen = append(p.seen, fmt.Sprintf(format, args...))
}

// tell keeps a text for details to print, broken into lines.
func (p *printer) tell(format string, args ...any) {
	const width = 100
	words := strings.Fields(fmt.Sprintf(format, args...))
	line := words[0]
	for _, word := range words[1:] {
		if utf8.RuneCountInString(line+" "+word) > width {
			p.seen = append(p.seen, line)
			line = " "
		}
		line += " " + word
	}
	p.seen = append(p.seen, line)
}

// details prints, below a step, what it found.
func (p *printer) details() {
	const indent = "      "
	for _, line := range p.seen {
		fmt.Fprintln(p.w, strings.TrimRight(indent+line, " "))
	}
	p.seen = nil
}

// row is one line of the table.
type row struct {
	line, what string
	bare, weir string // what happened without and with Weir
	n          int    // cases behind the shares; 0: there are none
	interval   string // of the shares
	held       bool
}

var tableHead = []string{"line", "what", "bare Triton", "through Weir", "n", "95 % interval", "held"}

// table prints the rows in the order of their letters and reports whether all
// of them held.
func (p *printer) table(rows []row) bool {
	rows = slices.SortedFunc(slices.Values(rows), func(a, b row) int { return strings.Compare(a.line, b.line) })
	cells := [][]string{tableHead}
	all := true
	for _, r := range rows {
		n, held := "–", "yes"
		if r.n > 0 {
			n = fmt.Sprint(r.n)
		}
		if !r.held {
			held, all = "NO", false
		}
		cells = append(cells, []string{"(" + r.line + ")", r.what, orDash(r.bare), orDash(r.weir), n, orDash(r.interval), held})
	}
	fmt.Fprintln(p.w)
	for i, text := range aligned(cells) {
		fmt.Fprintln(p.w, p.paint(text, i == 0, cells[i][len(cells[i])-1]))
	}
	fmt.Fprintln(p.w)
	return all
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

// aligned joins the cells of each line, padding columns to the same width.
func aligned(cells [][]string) []string {
	width := make([]int, len(cells[0]))
	for _, line := range cells {
		for i, cell := range line {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	lines := make([]string, len(cells))
	for i, line := range cells {
		var text strings.Builder
		for j, cell := range line {
			text.WriteString(cell + strings.Repeat(" ", width[j]-utf8.RuneCountInString(cell)+2))
		}
		lines[i] = strings.TrimRight(text.String(), " ")
	}
	return lines
}

// paint makes the head of the table bold and colours the verdict, the last word.
func (p *printer) paint(text string, head bool, verdict string) string {
	const bold, green, red, plain = "\x1b[1m", "\x1b[32m", "\x1b[31m", "\x1b[0m"
	switch {
	case !p.colour:
		return text
	case head:
		return bold + text + plain
	case verdict == "yes":
		return strings.TrimSuffix(text, verdict) + green + verdict + plain
	}
	return strings.TrimSuffix(text, verdict) + bold + red + verdict + plain
}

// share is a number of hits among n cases.
type share struct{ hits, n int }

func (s share) value() float64 { return float64(s.hits) / float64(s.n) }

// String returns the share in per cent, and nothing when there are no cases.
func (s share) String() string {
	if s.n == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", 100*s.value())
}

// wilson returns the 95 % score interval of the share (E. B. Wilson, Probable
// Inference, the Law of Succession, and Statistical Inference, JASA 22, 1927):
// from 0 to 1 when there are no cases.
func (s share) wilson() (low, high float64) {
	if s.n == 0 {
		return 0, 1
	}
	const z = 1.959964 // the 97.5 % quantile of the standard normal distribution
	n, p := float64(s.n), s.value()
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(0, middle-half), min(1, middle+half)
}

// interval returns the Wilson interval in per cent.
func (s share) interval() string {
	low, high := s.wilson()
	return fmt.Sprintf("%.1f–%.1f", 100*low, 100*high)
}
