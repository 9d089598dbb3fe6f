package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func (l *lab) report() error {
	s, err := l.summarise()
	if err != nil {
		return err
	}
	for _, g := range s.Groups {
		fmt.Println(g.Plan, g.Architecture, len(g.Models))
		for _, c := range g.Clean {
			fmt.Printf("  clean %s %s agree %s\n", c.Profile, c.Accuracy, c.Agreement)
		}
		for _, a := range g.Attacks {
			fmt.Printf("  %-50s raw %s counts %d\n", a.Trigger, a.Raw, len(a.Models))
			for _, c := range a.Cells {
				fmt.Printf("     %-10s %s flagged %.2f best %v\n", c.Profile, c.Success, c.Flagged.Share, c.BestOf)
			}
		}
	}
	return writeJSON(filepath.Join(l.dir, "results.json"), s)
}

func (l *lab) publish() error { return os.ErrInvalid }
