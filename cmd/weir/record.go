package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func newBaselineRecord() *cobra.Command {
	c := &cobra.Command{
		Use:   "record --model NAME --for DURATION --out FILE",
		Short: "Record the samples of a model from a running Weir",
		Long: `Record the samples of a model from a running Weir, as the JSON lines that
"weir baseline build" reads. The samples are those of the profile that is served.
Exit code 0: recorded; 1: samples were lost; 2: an I/O error; 3: no samples.`,
		Args: noArgs,
	}
	file := configFlag(c)
	model := requiredFlag(c, "model", "`NAME` of the model")
	modelVersion := textFlag(c, "model-version", "`VERSION` of the model (default: all)")
	span := durationFlag(c, "for", 10*time.Minute, "how long to record")
	out := requiredFlag(c, "out", "`FILE` to write")
	address := controlFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		control, err := controlAddress(*address, *file)
		if err != nil {
			return err
		}
		r := recording{model: *model, version: *modelVersion, out: *out, address: control, span: span.Std()}
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
func (r *recording) run(ctx context.Context, out, messages io.Writer) error {
	response, err := r.open(ctx)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	partial := r.out + ".part"
	f, err := os.Create(partial)
	if err != nil {
		return fail(exitUndecided, "%w", err)
	}
	n, err := copyLines(f, response.Body, newProgress(messages))
	if err = errors.Join(err, f.Close()); err != nil {
		return fail(exitUndecided, "recording ended early after %d samples, which are in %s: %w", n, partial, err)
	}
	if n == 0 {
		_ = os.Remove(partial) // it is empty
		return fail(exitNothing, "no samples: the model answered nothing in %s", r.span)
	}
	if err := os.Rename(partial, r.out); err != nil {
		return fail(exitUndecided, "%w", err)
	}
	fmt.Fprintf(out, "%s: %d samples\n", r.out, n)
	if lost := response.Trailer.Get(droppedTrailer); lost != "0" {
		return fail(exitFindings, "%s samples were lost: this machine was too slow", lost)
	}
	return nil
}

func (r *recording) open(ctx context.Context) (*http.Response, error) {
	q := url.Values{"model": {r.model}, "version": {r.version}, "for": {r.span.String()}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(r.address)+"/-/record?"+q.Encode(), nil)
	if err != nil {
		return nil, fail(exitUsage, "--control: expected HOST:PORT, got %q", r.address)
	}
	client := http.Client{Transport: direct()}
	response, err := client.Do(request)
	if err != nil {
		return nil, fail(exitUndecided, "no answer from %s: %w", r.address, cause(err))
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		reason, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return nil, fail(exitUndecided, "%s answers %s: %s", r.address, response.Status, bytes.TrimSpace(reason))
	}
	return response, nil
}

// copyLines copies whole lines and counts them.
func copyLines(to io.Writer, from io.Reader, progress *progress) (n int, err error) {
	defer progress.clear()
	w, reader := bufio.NewWriter(to), bufio.NewReader(from)
	for {
		data, err := reader.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(data) == 0 {
			return n, w.Flush()
		}
		if err != nil {
			return n, errors.Join(err, w.Flush())
		}
		if _, err := w.Write(data); err != nil {
			return n, err
		}
		n++
		progress.show(fmt.Sprintf("%d samples", n))
	}
}
