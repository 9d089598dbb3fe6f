package filter

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"

	"weir/filter/codec"
	"weir/sanitize"
	"weir/sanitize/tensor"
)

// eachRow runs a verb over the files of images in the rows of a UINT8 tensor [bytes] or
// [pictures, bytes]. Each row is one file, with zeros behind it where others are
// longer, which is how NVIDIA DALI gets them. The rows that the model server gets are as
// long as the longest file needs, or as its signature says: a file that has grown
// beyond that is refused.
func eachRow(ctx context.Context, in tensor.Tensor, spec *codec.Spec, room int, do verb) (tensor.Tensor, sanitize.Report, error) {
	if n := len(in.Shape); n < 1 || n > 2 {
		return tensor.Tensor{}, sanitize.Report{}, &sanitize.Refusal{Reason: sanitize.TensorShape,
			Detail: "files of images are UINT8 [bytes] or [pictures, bytes]"}
	}
	if err := in.Validate(); err != nil {
		return tensor.Tensor{}, sanitize.Report{}, &sanitize.Refusal{Reason: sanitize.TensorShape, Detail: err.Error()}
	}
	last, count := len(in.Shape)-1, 1
	if last == 1 {
		count = int(in.Shape[0])
	}
	size := int(in.Shape[last])
	total := sanitize.Report{Action: sanitize.Unchanged}
	var files [][]byte
	longest, sum := 0, 0
	for i := range count {
		clean, err := one(ctx, i, unpadded(in.Data[i*size:(i+1)*size]), do, &total)
		if err != nil {
			return tensor.Tensor{}, sanitize.Report{}, err
		}
		if sum += len(clean); sum > room { // before the next file takes memory of its own
			return tensor.Tensor{}, sanitize.Report{}, tooLarge()
		}
		files, longest = append(files, clean), max(longest, len(clean))
	}
	width, err := rowBytes(spec, longest, size)
	if err != nil {
		return tensor.Tensor{}, sanitize.Report{}, err
	}
	if int64(width)*int64(len(files)) > int64(room) {
		return tensor.Tensor{}, sanitize.Report{}, tooLarge()
	}
	in.Data = make([]byte, width*len(files))
	for i, file := range files {
		copy(in.Data[i*width:], file)
	}
	in.Shape = slices.Clone(in.Shape)
	in.Shape[last] = int64(width)
	return in, total, nil
}

// rowBytes is how long the rows are of which the longest file has longest bytes, and
// the client's had size. Too long is what sanitising makes too large, and no limit of
// what the client sent, which holds in shadow mode, too.
func rowBytes(spec *codec.Spec, longest, size int) (int, error) {
	if spec != nil && len(spec.Shape) > 0 && spec.Shape[len(spec.Shape)-1] == -1 {
		return longest, nil
	}
	if longest > size {
		return 0, codec.Refuse(codec.BodyTooLarge, "sanitising makes a file longer than the rows of the model's input, %d bytes instead of %d", longest, size)
	}
	return size, nil
}

// unpadded cuts the zeros off the end of a row that are no part of the file in it. The
// formats that may end in zeros say how long they are, all but TIFF, of which nothing is
// cut: its padding counts as what it is, bytes behind the file.
func unpadded(row []byte) []byte {
	end := len(bytes.TrimRight(row, "\x00"))
	switch declared := uint32(0); sanitize.SniffImage(row) {
	case sanitize.FormatTIFF:
		return row
	case sanitize.FormatWebP: // RIFF: the size of what follows the first 8 bytes, which is even
		declared = binary.LittleEndian.Uint32(row[4:])
		if n := uint64(declared) + uint64(declared)%2 + 8; n > uint64(end) {
			end = int(min(n, uint64(len(row))))
		}
	case sanitize.FormatBMP: // BITMAPFILEHEADER.bfSize
		if declared = binary.LittleEndian.Uint32(row[2:]); uint64(declared) > uint64(end) {
			end = int(min(uint64(declared), uint64(len(row))))
		}
	}
	return row[:end]
}
