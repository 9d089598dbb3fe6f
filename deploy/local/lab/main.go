// Command lab trains small poisoned models and measures what Weir's profiles do to
// their back doors.
package main

import "fmt"

func main() {
	for _, p := range plans {
		for _, a := range p.Attacks {
			fmt.Printf("%s\t%s\tclass %d\t%d pictures\n", p.Name, a.Trigger, a.Target, a.Count)
		}
	}
}
