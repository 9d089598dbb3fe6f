package main

import (
	"fmt"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"

	"weir/filter"
)

func newConfig() *cobra.Command {
	return newGroup("config", "Print what the configuration and its answers can be", newConfigReasons())
}

func newConfigReasons() *cobra.Command {
	c := &cobra.Command{
		Use:   "reasons",
		Short: "List every reason code with its HTTP status, gRPC code and hint",
		Args:  noArgs,
	}
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *output == "json" {
			reasonsJSON(c)
			return nil
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "REASON\tHTTP\tGRPC\tHINT")
		for _, r := range filter.Reasons() {
			s := r.Status()
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", r, s.HTTP, grpcName(s.GRPC), s.Hint)
		}
		_ = w.Flush() // run sees a failed standard output
		return nil
	}
	return c
}

func reasonsJSON(c *cobra.Command) {
	type row struct {
		Reason   filter.Reason `json:"reason"`
		HTTP     int           `json:"http"`
		GRPC     string        `json:"grpc"`
		Sentence string        `json:"sentence"`
		Hint     string        `json:"hint"`
	}
	encoder := jsonLines(c.OutOrStdout())
	for _, r := range filter.Reasons() {
		s := r.Status()
		_ = encoder.Encode(row{r, s.HTTP, grpcName(s.GRPC), s.Sentence, s.Hint}) // run sees a failed standard output
	}
}

// grpcName is the name of a code in the gRPC specification: INVALID_ARGUMENT for
// what Go calls InvalidArgument.
func grpcName(c codes.Code) string {
	return strings.ToUpper(wordStart.ReplaceAllString(c.String(), "${1}_${2}"))
}

var wordStart = regexp.MustCompile(`([a-z])([A-Z])`)
