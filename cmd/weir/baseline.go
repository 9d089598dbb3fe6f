package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"weir/monitor/baseline"
)

func newBaseline() *cobra.Command {
	c := &cobra.Command{Use: "baseline", Short: "Record samples of a model, and build a baseline of them", Args: cobra.NoArgs}
	c.AddCommand(newBaselineRecord(), newBaselineBuild())
	return c
}

func newBaselineBuild() *cobra.Command {
	c := &cobra.Command{
		Use:   "build --from FILE --out FILE",
		Short: "Build a baseline file from samples",
		Long: `Build a baseline file from samples: JSON lines such as
  {"time":12.35,"confidence":0.93,"class":"stop","entropy":0.2}
of numbers and categories, in the order of time. "-" reads standard input.
Exit code 0: built; 1: the samples make no baseline; 2: an I/O error.`,
		Args: cobra.NoArgs,
	}
	from := c.Flags().String("from", "", "file of samples (required)")
	out := c.Flags().String("out", "", "baseline file to write (required)")
	model := c.Flags().String("model", "", "name of the model, recorded in the file")
	modelVersion := c.Flags().String("model-version", "", "version of the model, recorded in the file")
	_ = c.MarkFlagRequired("from")
	_ = c.MarkFlagRequired("out")
	c.RunE = func(c *cobra.Command, _ []string) error {
		in, err := openInput(c, *from)
		if err != nil {
			return err
		}
		defer in.Close()
		b, err := baseline.BuildFrom(in, baseline.Options{Model: *model, Version: *modelVersion, Source: *from,
			Tool: "weir " + currentVersion(), Created: time.Now().UTC().Truncate(time.Second)})
		if err != nil {
			return fail(inputCode(err), "%s: %w", *from, err)
		}
		if err := b.Save(*out); err != nil {
			return fail(exitUndecided, "%w", err)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: %d samples, %d features, %s\n", *out, b.Samples, len(b.Features), b.Digest())
		return nil
	}
	return c
}

// openInput opens a file, or standard input for "-".
func openInput(c *cobra.Command, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(c.InOrStdin()), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fail(exitUndecided, "%w", err)
	}
	return f, nil
}

// inputCode is the exit code of an error while samples were read.
func inputCode(err error) int {
	var path *os.PathError
	if errors.As(err, &path) {
		return exitUndecided
	}
	return exitFindings
}

func newBaselineRecord() *cobra.Command {
	c := &cobra.Command{
		Use:   "record --model NAME --for DURATION --out FILE",
		Short: "Record the samples of a model from a running Weir",
		Long: `Record the samples of a model from a running Weir, as the JSON lines that
"weir baseline build" reads. The samples are those of the profile that is served.
Exit code 0: recorded; 1: samples were lost; 2: an I/O error; 3: no samples.`,
		Args: cobra.NoArgs,
	}
	file := configFlag(c)
	r := recording{}
	c.Flags().StringVar(&r.model, "model", "", "name of the model (required)")
	c.Flags().StringVar(&r.version, "model-version", "", "version of the model (default: all)")
	c.Flags().DurationVar(&r.span, "for", 10*time.Minute, "how long to record")
	c.Flags().StringVar(&r.out, "out", "", "file to write (required)")
	c.Flags().StringVar(&r.address, "control", "", "host:port of the control endpoint (default: that of the configuration)")
	_ = c.MarkFlagRequired("model")
	_ = c.MarkFlagRequired("out")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if r.address == "" {
			cfg, err := loadConfig(c, *file)
			if err != nil {
				return err
			}
			r.address = cfg.Control
		}
		return r.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// recording is one run of `weir baseline record`.
type recording struct {
	model, version, out, address string
	span                         time.Duration
}

// run writes the samples to a file beside the one asked for, which takes its
// place when the recording is whole.
func (r *recording) run(ctx context.Context, out, messages io.Writer) (err error) {
	body, trailer, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	partial := r.out + ".part"
	f, err := os.Create(partial)
	if err != nil {
		return fail(exitUndecided, "%w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	n, err := copyLines(f, body, messages)
	if err != nil {
		return fail(exitUndecided, "recording ended early after %d samples, which are in %s: %w", n, partial, err)
	}
	if err := errors.Join(f.Sync(), f.Close(), os.Rename(partial, r.out)); err != nil {
		return fail(exitUndecided, "%w", err)
	}
	fmt.Fprintf(out, "%s: %d samples\n", r.out, n)
	if lost := trailer.Get(droppedTrailer); lost != "0" {
		return fail(exitFindings, "%s samples were lost: the recorder was too slow", lost)
	}
	if n == 0 {
		return fail(exitNothing, "no samples: the model answered nothing in %s", r.span)
	}
	return nil
}

func (r *recording) open(ctx context.Context) (io.ReadCloser, http.Header, error) {
	q := url.Values{"model": {r.model}, "version": {r.version}, "for": {r.span.String()}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(r.address)+"/-/record?"+q.Encode(), nil)
	if err != nil {
		return nil, nil, fail(exitUsage, "%w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, nil, fail(exitUndecided, "%w", err)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return nil, nil, fail(exitUndecided, "%s: %s", response.Status, text)
	}
	return response.Body, response.Trailer, nil
}

// copyLines copies whole lines and counts them; on a terminal it shows the count.
func copyLines(to io.Writer, from io.Reader, messages io.Writer) (int, error) {
	show := isTerminal(messages)
	w := bufio.NewWriter(to)
	reader := bufio.NewReader(from)
	n, shown := 0, time.Now()
	for {
		data, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(data) == 0 {
			break
		}
		if err != nil {
			return n, errors.Join(err, w.Flush())
		}
		if _, err := w.Write(data); err != nil {
			return n, err
		}
		n++
		if show && time.Since(shown) > 200*time.Millisecond {
			fmt.Fprintf(messages, "\r%d samples", n)
			shown = time.Now()
		}
	}
	if show {
		fmt.Fprint(messages, "\r")
	}
	return n, w.Flush()
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
