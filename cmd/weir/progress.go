package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progress is one line on a terminal that says how far a long work has got. It
// has no colours; elsewhere than on a terminal nothing is written.
type progress struct {
	to    io.Writer // nil: not a terminal
	next  time.Time // when the line may change
	width int       // of what stands there
}

// redraw is how often the line changes at most.
const redraw = 100 * time.Millisecond

func newProgress(messages io.Writer) *progress {
	if f, ok := messages.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &progress{to: f}
	}
	return &progress{}
}

// show replaces the line, unless it did so a moment ago.
func (p *progress) show(text string) {
	if p.to == nil || time.Now().Before(p.next) {
		return
	}
	p.clear()
	fmt.Fprint(p.to, text)
	p.width, p.next = len(text), time.Now().Add(redraw)
}

// clear removes the line, so that others can write.
func (p *progress) clear() {
	if p.width > 0 {
		fmt.Fprintf(p.to, "\r%*s\r", p.width, "")
		p.width, p.next = 0, time.Time{}
	}
}

// bar draws how many of all things are done.
func bar(done, all int, things string) string {
	const width = 30
	filled := width * done / all
	return fmt.Sprintf("[%s%s] %d/%d %s", strings.Repeat("#", filled), strings.Repeat(".", width-filled), done, all, things)
}
