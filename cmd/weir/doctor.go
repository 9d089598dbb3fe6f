package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/deploy/envoy/doctor"
	"weir/filter/config"
)

func newDoctor() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor (--envoy FILE|URL | --triton-args FILE | --rules)",
		Short: "Find what is unsafe in the configuration of Envoy and Triton around Weir",
		Long: `Find what is unsafe in the configuration of Envoy and Triton around Weir, by the
rules that --rules lists. For Envoy it takes a bootstrap or a saved answer of
/config_dump, in YAML or JSON, or the URL of the admin interface; for Triton the
command line, on one line or many.
Exit code 0: no error, warnings count with --strict; 1: an error was found;
2: a file cannot be read, or a part of it cannot be judged; 4: usage or an invalid
configuration.`,
		Example: `  weir doctor --envoy envoy.yaml --triton-args triton.args
  weir doctor --envoy http://127.0.0.1:9901 --strict`,
		Args: noArgs,
	}
	file := configFlag(c)
	source := textFlag(c, "envoy", "`FILE|URL` of a bootstrap or dump, or of the admin interface")
	args := textFlag(c, "triton-args", "`FILE` with the command line of tritonserver")
	strict := c.Flags().Bool("strict", false, "end with 1 for warnings, too")
	rules := c.Flags().Bool("rules", false, "list what can be found")
	output := outputFlag(c)
	c.MarkFlagsOneRequired("envoy", "triton-args", "rules")
	c.MarkFlagsMutuallyExclusive("rules", "envoy")
	c.MarkFlagsMutuallyExclusive("rules", "triton-args")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *rules {
			printRules(c, *output)
			return nil
		}
		cfg, err := loadConfig(*file)
		if err != nil {
			return err
		}
		report, err := examine(c.Context(), *source, *args, expectation(cfg))
		if err != nil {
			return err
		}
		if *output == "json" {
			_ = jsonLines(c.OutOrStdout()).Encode(report) // run sees a failed standard output
		} else {
			printReport(c.OutOrStdout(), report)
		}
		switch {
		case report.Errors(), *strict && len(report.Findings) > 0:
			return &exitError{code: exitFindings}
		case len(report.Unjudged) > 0:
			return &exitError{code: exitUndecided}
		}
		return nil
	}
	return c
}

// expectation is what the configuration says of what stands around Weir.
func expectation(cfg *config.Config) doctor.Expect {
	expect := doctor.Expect{Options: envoyOptions(cfg)}
	for _, m := range cfg.Models {
		if !strings.ContainsAny(m.Name, "*?[") { // no glob
			expect.Models = append(expect.Models, m.Name)
		}
	}
	return expect
}

// examine examines what the two flags name.
func examine(ctx context.Context, source, args string, expect doctor.Expect) (*doctor.Report, error) {
	report := &doctor.Report{Findings: []doctor.Finding{}, Unjudged: []doctor.Unjudged{}}
	if source != "" {
		found, err := examineEnvoy(ctx, source, expect)
		if err != nil {
			return nil, fail(exitUndecided, "%s: %w", source, err)
		}
		report.Merge(found)
	}
	if args != "" {
		text, err := os.ReadFile(args)
		if err != nil {
			return nil, &exitError{exitUndecided, err}
		}
		found, err := doctor.Triton(string(text), args, expect)
		if err != nil {
			return nil, fail(exitUndecided, "%s: %w", args, err)
		}
		report.Merge(found)
	}
	return report, nil
}

func examineEnvoy(ctx context.Context, source string, expect doctor.Expect) (*doctor.Report, error) {
	if !strings.HasPrefix(source, "http://") && !strings.HasPrefix(source, "https://") {
		data, err := os.ReadFile(source)
		if err != nil {
			return nil, errors.Unwrap(err) // the file is named already
		}
		return doctor.Envoy(data, source, expect)
	}
	data, err := configDump(ctx, source)
	if err != nil {
		return nil, err
	}
	report, err := doctor.Envoy(data, source, expect)
	if err != nil {
		return nil, err
	}
	for i := range report.Findings { // nobody sees the lines of an answer
		report.Findings[i].Line = 0
	}
	for i := range report.Unjudged {
		report.Unjudged[i].Line = 0
	}
	return report, nil
}

// The limits of what an admin interface may answer.
const (
	dumpTimeout  = 30 * time.Second
	maxDumpBytes = 256 << 20
)

// configDump asks an admin interface for all of Envoy's configuration.
func configDump(ctx context.Context, base string) ([]byte, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	if u.Path == "" || u.Path == "/" {
		u.Path, u.RawQuery = "/config_dump", "include_eds"
	}
	ctx, cancel := context.WithTimeout(ctx, dumpTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxDumpBytes+1))
	if err == nil && len(data) > maxDumpBytes {
		err = fmt.Errorf("the answer has more than %d bytes", maxDumpBytes)
	}
	return data, err
}

// printReport prints the findings, then what could not be judged.
func printReport(w io.Writer, report *doctor.Report) {
	place := func(file string, line int) string {
		if line > 0 {
			return fmt.Sprintf("%s:%d: ", file, line)
		}
		return file + ": "
	}
	for _, f := range report.Findings {
		fmt.Fprintf(w, "%s%s: %s: %s; %s\n", place(f.File, f.Line), f.Severity, f.ID, f.What, f.Why)
		if f.Path != "" {
			fmt.Fprintf(w, "    at: %s\n", f.Path)
		}
		fmt.Fprintf(w, "    hint: %s\n", f.Hint)
	}
	for _, u := range report.Unjudged {
		fmt.Fprintf(w, "%scannot be judged: %s\n    at: %s\n", place(u.File, u.Line), u.What, u.Path)
	}
	fmt.Fprintf(w, "findings: %d, parts that cannot be judged: %d\n", len(report.Findings), len(report.Unjudged))
}

// printRules prints what can be found: a table, or one JSON object a line.
func printRules(c *cobra.Command, output string) {
	if output == "json" {
		encoder := jsonLines(c.OutOrStdout())
		for _, r := range doctor.Rules() {
			_ = encoder.Encode(r) // run sees a failed standard output
		}
		return
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tSEVERITY\tWHY\tHINT")
	for _, r := range doctor.Rules() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.ID, r.Severity, r.Why, r.Hint)
	}
	_ = w.Flush() // run sees a failed standard output
}
