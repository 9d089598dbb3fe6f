package main

import (
	"encoding/binary"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
)

const side = 64 // pixels, width and height of every picture

// pictures are pictures with their classes, as draw.py writes them: images.npy holds
// uint8 [n, side, side, 3], labels.npy holds int64 [n].
type pictures struct {
	pix    []byte
	labels []int
}

func (p *pictures) len() int { return len(p.labels) }

// at returns a copy of picture i.
func (p *pictures) at(i int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	rgb := p.pix[i*side*side*3:]
	for j := range side * side {
		copy(img.Pix[4*j:4*j+3], rgb[3*j:])
		img.Pix[4*j+3] = 255
	}
	return img
}

// add appends an opaque picture of the right size.
func (p *pictures) add(img *image.NRGBA, label int) {
	for j := range side * side {
		p.pix = append(p.pix, img.Pix[4*j:4*j+3]...)
	}
	p.labels = append(p.labels, label)
}

func readPictures(dir string) (*pictures, error) {
	pix, shape, err := readArray(filepath.Join(dir, "images.npy"), "|u1")
	if err != nil {
		return nil, err
	}
	raw, _, err := readArray(filepath.Join(dir, "labels.npy"), "<i8")
	if err != nil {
		return nil, err
	}
	n := len(raw) / 8
	if want := fmt.Sprintf("(%d, %d, %d, 3)", n, side, side); shape != want || len(pix) != n*side*side*3 {
		return nil, fmt.Errorf("%s: images of shape %s, %d labels", dir, shape, n)
	}
	p := &pictures{pix: pix, labels: make([]int, n)}
	for i := range p.labels {
		p.labels[i] = int(binary.LittleEndian.Uint64(raw[8*i:]))
	}
	return p, nil
}

func (p *pictures) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	shape := fmt.Sprintf("(%d, %d, %d, 3)", p.len(), side, side)
	if err := writeArray(filepath.Join(dir, "images.npy"), "|u1", shape, p.pix); err != nil {
		return err
	}
	var raw []byte
	for _, label := range p.labels {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(label))
	}
	return writeArray(filepath.Join(dir, "labels.npy"), "<i8", fmt.Sprintf("(%d,)", p.len()), raw)
}

// The format is NPY 1.0 of numpy.lib.format.
const npyMagic = "\x93NUMPY\x01\x00"

func writeArray(path, dtype, shape string, data []byte) error {
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", dtype, shape)
	header += strings.Repeat(" ", 63-(len(npyMagic)+2+len(header))%64) + "\n"
	file := binary.LittleEndian.AppendUint16([]byte(npyMagic), uint16(len(header)))
	file = append(append(file, header...), data...)
	return os.WriteFile(path, file, 0o644)
}

// readArray returns the values of an array of this type, and its shape as numpy
// writes it.
func readArray(path, dtype string) (data []byte, shape string, err error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	body, ok := strings.CutPrefix(string(file), npyMagic)
	if !ok || len(body) < 2 {
		return nil, "", fmt.Errorf("%s is no NPY file of version 1", path)
	}
	length := int(binary.LittleEndian.Uint16([]byte(body)))
	if len(body) < 2+length {
		return nil, "", fmt.Errorf("%s is cut off", path)
	}
	header := body[2 : 2+length]
	_, after, found := strings.Cut(header, "'shape': ")
	open := strings.Index(after, ")")
	if !found || open < 0 || !strings.Contains(header, "'descr': '"+dtype+"', 'fortran_order': False") {
		return nil, "", fmt.Errorf("%s has the header %q", path, header)
	}
	return file[len(npyMagic)+2+length:], after[:open+1], nil
}
