package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/filter/codec"
	"weir/filter/codec/kserve"
	"weir/filter/policy"
	"weir/filter/upstream"
	"weir/sanitize/tensor"
)

// servedModel asks one model of a server about files of images.
type servedModel struct {
	server    string
	http      *http.Client
	codec     *kserve.HTTP
	limits    kserve.Limits
	signature *codec.Signature
	input     string
	encoded   policy.Encoding
	form      *pixelForm // of an input of kind pixels; nil: files
	output    codec.Spec
	classes   []string // names by index; empty: not known
}

// predictTimeout is how long one prediction may take.
const predictTimeout = time.Minute

// serverURL checks the address of a model server.
func serverURL(flag string) (string, error) {
	u, err := url.Parse(flag)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return "", fail(exitUsage, "--server: expected a URL such as http://127.0.0.1:8000")
	}
	return u.Scheme + "://" + u.Host, nil
}

// openModel reads the signature of the model and finds its tensors.
func openModel(ctx context.Context, server string, p *probe, classes []string) (*servedModel, error) {
	f := &p.flags
	m := &servedModel{server: server, classes: classes, limits: kserve.DefaultLimits(), http: &http.Client{Timeout: predictTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("the server redirects") }}}
	var err error
	if m.codec, err = kserve.NewHTTP(m.limits); err != nil {
		return nil, fail(exitUndecided, "%w", err)
	}
	if m.signature, err = readSignature(ctx, server, f.model, f.version); err != nil {
		return nil, fail(exitUndecided, "%s: model %q: %w", server, f.model, cause(err))
	}
	if err := m.pickInput(p); err != nil {
		return nil, err
	}
	output, err := pickTensor(m.signature.Outputs, f.scores, "output with scores", givesScores)
	if err != nil && len(classes) > 0 {
		output, err = pickTensor(m.signature.Outputs, f.scores, "output with names of classes", givesNames)
	}
	if err != nil {
		return nil, err
	}
	m.output = *m.signature.Output(output)
	return m, nil
}

// pickInput finds the input and the form in which it takes pictures.
func (m *servedModel) pickInput(p *probe) (err error) {
	if p.kind != policy.Pixels {
		m.encoded = p.encoded
		m.input, err = pickTensor(m.signature.Inputs, p.flags.input, "input for files of images", takesFiles)
	} else if m.input, err = pickTensor(m.signature.Inputs, p.flags.input, "input for pixels", takesPixels); err == nil {
		m.form, err = newPixelForm(p.pixels, *m.signature.Input(m.input), p.flags.size)
	}
	p.flags.input = m.input
	return err
}

// carried is a file of an image as the model gets it.
func (m *servedModel) carried(file []byte) ([]byte, error) {
	if m.form == nil {
		return file, nil
	}
	img, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	flat := image.NewNRGBA(image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy()))
	draw.Draw(flat, flat.Rect, img, img.Bounds().Min, draw.Src)
	return m.form.Encode(flat, "")
}

func readSignature(ctx context.Context, server, model, version string) (*codec.Signature, error) {
	client := upstream.NewClient(server, askTimeout)
	defer client.Close()
	if version == "" {
		versions, err := client.Versions(ctx, model)
		if err != nil {
			return nil, err
		}
		newest := -1
		for _, v := range versions {
			if n, err := strconv.Atoi(v); err == nil && n > newest {
				newest, version = n, v
			}
		}
	}
	s, err := client.Signature(ctx, model, version)
	if err == nil && s.Decoupled {
		err = errors.New("it is decoupled: its answers are a stream")
	}
	return s, err
}

// takesFiles reports whether a tensor can hold files: one in each BYTES element or,
// padded with zeros, in each row of UINT8.
func takesFiles(s codec.Spec) bool {
	return s.DataType == tensor.Bytes && scalar(s.Shape) || s.DataType == tensor.Uint8 && (len(s.Shape) == 1 || len(s.Shape) == 2)
}

func takesPixels(s codec.Spec) bool {
	return s.DataType == tensor.Uint8 || s.DataType == tensor.FP16 || s.DataType == tensor.FP32
}

func givesScores(s codec.Spec) bool { return s.DataType.Float() && len(s.Shape) > 0 }

func givesNames(s codec.Spec) bool { return s.DataType == tensor.Bytes && scalar(s.Shape) }

// scalar reports whether a tensor can hold one element for each picture.
func scalar(shape []int64) bool {
	return !slices.ContainsFunc(shape, func(d int64) bool { return d != -1 && d != 1 })
}

// pickTensor returns the named tensor, if it suits, or the only one that does.
func pickTensor(specs []codec.Spec, name, what string, suits func(codec.Spec) bool) (string, error) {
	var found []string
	for _, s := range specs {
		if suits(s) && (name == "" || name == s.Name) {
			found = append(found, s.Name)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case name != "":
		return "", fail(exitUsage, "the model has no %s of the name %q; there are %s", what, name, describe(specs))
	case len(found) == 0:
		return "", fail(exitUsage, "the model has no %s; there are %s", what, describe(specs))
	}
	return "", fail(exitUsage, "the model has several of %s: %s; name one with a flag", what, strings.Join(found, ", "))
}

func describe(specs []codec.Spec) string {
	var all []string
	for _, s := range specs {
		all = append(all, fmt.Sprintf("%s %s %v", s.Name, s.DataType, s.Shape))
	}
	return strings.Join(all, ", ")
}

// learnClasses finds out how many classes there are and, where nobody has said it,
// what the server calls them. It asks about one picture.
func (m *servedModel) learnClasses(ctx context.Context, picture []byte) error {
	if givesNames(m.output) {
		return nil // they are known, or it would not have been picked
	}
	rows, err := m.predict(ctx, [][]byte{picture})
	switch {
	case err != nil:
		return fail(exitUndecided, "%w", cause(err))
	case len(rows[0]) == 1:
		return fail(exitUndecided, "output %q has one number for each picture; scores of at least two classes are needed", m.output.Name)
	case len(rows[0]) == 0:
		return nil // it refuses this one; others will tell
	case len(m.classes) > 0 && len(m.classes) != len(rows[0]):
		return fail(exitUsage, "there are names of %d classes, and output %q has %d", len(m.classes), m.output.Name, len(rows[0]))
	case len(m.classes) > 0:
		return nil
	}
	request, err := m.request([][]byte{picture})
	if err != nil {
		return fail(exitUndecided, "%w", err)
	}
	request.Outputs = []codec.Output{{Name: m.output.Name, Classes: len(rows[0])}}
	response, err := m.exchange(ctx, request)
	if err != nil || len(response.Classified) != 1 {
		return nil // the server cannot classify; numbers do
	}
	names, found := make([]string, len(rows[0])), 0
	_ = tensor.EachElement(response.Classified[0].Data, int64(len(rows[0])), func(_ int64, class []byte) error {
		parts := strings.SplitN(string(class), ":", 3) // value, index, label
		if i, err := strconv.Atoi(parts[min(1, len(parts)-1)]); err == nil && len(parts) == 3 && i >= 0 && i < len(names) {
			names[i], found = parts[2], found+1
		}
		return nil
	})
	if found == len(names) {
		m.classes = names
	}
	return nil
}

// class is the number of a class by its name or number; false if there is none.
func (m *servedModel) class(name string) (int, bool) {
	if i := slices.Index(m.classes, name); i >= 0 {
		return i, true
	}
	n, err := strconv.Atoi(name)
	return n, err == nil && n >= 0 && (len(m.classes) == 0 || n < len(m.classes))
}

// batch is how many files the model takes at once.
func (m *servedModel) batch() int { return max(1, min(m.signature.MaxBatchSize, 16)) }
