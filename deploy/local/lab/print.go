package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// printer tells how far the work is: a line for each step that has ended, and on a
// terminal one for what is being done.
type printer struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	shown    time.Time // of the last progress
}

func newPrinter(f *os.File) *printer {
	return &printer{w: f, terminal: term.IsTerminal(int(f.Fd()))}
}

// begin returns what shows the progress of a step.
func (p *printer) begin(title string) func(done, all int) {
	p.status("%-50s ...", title)
	return func(done, all int) {
		if all > 0 && time.Since(p.shown) > 100*time.Millisecond {
			p.status("%-50s %3d %%", title, 100*done/all)
		}
	}
}

// status overwrites the last line of a terminal.
func (p *printer) status(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K"+format, args...)
	}
	p.shown = time.Now()
}

// end prints the line of a step.
func (p *printer) end(title string, took time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	if err != nil {
		fmt.Fprintf(p.w, "%-50s failed\n", title)
		return
	}
	fmt.Fprintf(p.w, "%-50s %8.1f s\n", title, took.Seconds())
}

// say prints one line.
func (p *printer) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, format+"\n", args...)
}
