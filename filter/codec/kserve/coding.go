package kserve

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"sync"

	"weir/filter/codec"
)

// freeInflatedBytes may come out of any compressed body, whatever its ratio.
const freeInflatedBytes = 64 << 10

// inflate undoes the coding of a request's body or message: one gzip member or one
// zlib stream, with its checksum, and not a byte after it.
func (l *Limits) inflate(coding codec.Coding, body []byte) ([]byte, error) {
	if coding == codec.Identity {
		return body, nil
	}
	most := min(l.MaxBodyBytes, max(len(body)*l.MaxInflateRatio, freeInflatedBytes))
	src := bytes.NewReader(body) // an io.ByteReader, so flate does not read ahead
	stream, err := openStream(coding, src)
	if err != nil {
		return nil, codec.Refuse(codec.EncodingInvalid, "the body is not %s", coding)
	}
	inflated, err := io.ReadAll(io.LimitReader(stream, int64(most)+1))
	if len(inflated) > most {
		return nil, codec.Refuse(codec.BodyTooLarge, "the body inflates to more than is allowed")
	}
	if err != nil {
		return nil, codec.Refuse(codec.EncodingInvalid, "the %s body is cut short or damaged", coding)
	}
	if src.Len() != 0 {
		return nil, codec.Refuse(codec.EncodingInvalid, "%d bytes follow the %s stream", src.Len(), coding)
	}
	return inflated, nil
}

func openStream(coding codec.Coding, src *bytes.Reader) (io.Reader, error) {
	if coding == codec.Deflate {
		return zlib.NewReader(src)
	}
	stream, err := gzip.NewReader(src)
	if err != nil {
		return nil, err
	}
	stream.Multistream(false)
	return stream, nil
}

// compressor is what gzip and zlib writers have in common.
type compressor interface {
	io.WriteCloser
	Reset(io.Writer)
}

// Writers are pooled because each holds several hundred KB of tables. Answers
// are compressed once and read once, so speed counts for more than size.
var (
	gzipWriters = sync.Pool{New: func() any { w, _ := gzip.NewWriterLevel(nil, flate.BestSpeed); return w }}
	zlibWriters = sync.Pool{New: func() any { w, _ := zlib.NewWriterLevel(nil, flate.BestSpeed); return w }}
)

// deflate applies the content coding that a client accepts.
func deflate(coding codec.Coding, body []byte) ([]byte, error) {
	pool := &gzipWriters
	if coding == codec.Deflate {
		pool = &zlibWriters
	}
	w := pool.Get().(compressor)
	defer pool.Put(w)
	var buffer bytes.Buffer
	buffer.Grow(len(body)/4 + 64)
	w.Reset(&buffer)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}
