package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/monitor/decision"
)

func newExplain() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain DECISION_ID | --last N [--verdict VERDICT]",
		Short: "Say which rule decided on an exchange, and why",
		Long: fmt.Sprintf(`Say which rule decided on an exchange, and why: what it found against which
threshold, in which phase, of which model and version, under which configuration,
and what enforcing would have done if its rules are in shadow mode. The id is that
of the header x-weir-decision-id, of an error message, a span or a log.

A running Weir is asked. It keeps the last %d decisions that were refused or
flagged, or would be if their rules were enforced, and the last %d others, in
memory; the replica that decided is the one to ask. Contents are not kept.
Exit code 0: told; 2: not known, no longer kept, or no answer; 4: not an id.`, decision.KeptMarked, decision.KeptAllowed),
		Example: `  weir explain 06H0W2DF2ZC91G55F7QW7HR0V0
  weir explain --last 20 --verdict block
  kubectl exec POD -c weir -- weir explain --last 1 --output json`,
		Args: cobra.MaximumNArgs(1),
	}
	file := configFlag(c)
	address := controlFlag(c)
	output := outputFlag(c)
	last := c.Flags().Int("last", 0, "list the last `N` decisions instead, the newest first")
	verdict := choiceFlag(c, "verdict", "list only those of one verdict", append([]string{"any"}, verdictNames()...)...)
	c.ValidArgsFunction = cobra.NoFileCompletions
	c.RunE = func(c *cobra.Command, args []string) error {
		list := c.Flags().Changed("last")
		switch {
		case list == (len(args) == 1):
			return errors.New("name one decision id, or list the last ones with --last N")
		case list && (*last < 1 || *last > mostLast):
			return fmt.Errorf("--last: expected a number from 1 to %d", mostLast)
		case !list && *verdict != "any":
			return errors.New("--verdict goes with --last N")
		case !list && !decision.ValidID(strings.ToUpper(args[0])):
			return fail(exitUsage, "%s", notAnID(args[0]))
		}
		control, err := controlAddress(*address, *file)
		if err != nil {
			return err
		}
		a := asking{address: control, json: *output == "json", out: c.OutOrStdout()}
		if list {
			return a.list(c.Context(), *last, strings.TrimPrefix(*verdict, "any"))
		}
		return a.explain(c.Context(), strings.ToUpper(args[0]))
	}
	return c
}

func verdictNames() (names []string) {
	for _, v := range decision.Verdicts() {
		names = append(names, string(v))
	}
	return names
}

// asking is one run of `weir explain`.
type asking struct {
	address string
	json    bool
	out     io.Writer
}

// maxAnswer bounds what a Weir may answer, in bytes: all that it keeps.
const maxAnswer = mostLast * 16 << 10

// get asks the control endpoint; it must answer with success.
func (a *asking) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(a.address)+path, nil)
	if err != nil {
		return nil, fail(exitUsage, "--control: expected HOST:PORT, got %q", a.address)
	}
	client := http.Client{Transport: direct()}
	response, err := client.Do(request)
	if err != nil {
		return nil, fail(exitUndecided, "no answer from %s: %w", a.address, cause(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, fail(exitUndecided, "no whole answer from %s: %w", a.address, cause(err))
	case response.StatusCode == http.StatusNotFound && bytes.HasPrefix(body, []byte("decision ")):
		return nil, fail(exitUndecided, "%s", bytes.TrimSpace(body))
	case response.StatusCode != http.StatusOK:
		return nil, fail(exitUndecided, "%s answers %s: %s", a.address, response.Status, bytes.TrimSpace(body[:min(len(body), 1<<10)]))
	}
	return body, nil
}

// answerTimeout is how long a Weir nearby may take to answer.
const answerTimeout = 10 * time.Second

func (a *asking) explain(ctx context.Context, id string) error {
	body, err := a.get(ctx, "/-/decisions/"+id)
	if err != nil {
		return err
	}
	if a.json {
		_, _ = a.out.Write(body) // run sees a failed standard output
		return nil
	}
	var e explanation
	if err := json.Unmarshal(body, &e); err != nil {
		return fail(exitUndecided, "%s does not answer with a decision: %w", a.address, err)
	}
	e.print(a.out)
	return nil
}

func (a *asking) list(ctx context.Context, n int, verdict string) error {
	q := url.Values{"last": {strconv.Itoa(n)}}
	if verdict != "" {
		q.Set("verdict", verdict)
	}
	body, err := a.get(ctx, "/-/decisions?"+q.Encode())
	if err != nil {
		return err
	}
	if a.json {
		_, _ = a.out.Write(body) // run sees a failed standard output
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TIME\tDECISION\tVERDICT\tSHADOW\tMODEL\tREASON")
	lines := json.NewDecoder(bytes.NewReader(body))
	for lines.More() {
		var r decision.Record
		if err := lines.Decode(&r); err != nil {
			return fail(exitUndecided, "%s does not answer with decisions: %w", a.address, err)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Time.Format(time.RFC3339), r.ID, r.Verdict, dash(r.Shadow), dash(r.Model), dash(r.Reason))
	}
	_ = w.Flush() // run sees a failed standard output
	return nil
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
