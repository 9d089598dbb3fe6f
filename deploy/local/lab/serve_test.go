package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// answer is a body of KServe V2 with one FP32 output, and the length of its header.
func answer(rows [][]float64) (body []byte, header string) {
	body = fmt.Appendf(nil, `{"outputs":[{"name":"SCORES","datatype":"FP32","shape":[%d,%d],"parameters":{"binary_data_size":8}}]}`, len(rows), len(rows[0]))
	header = strconv.Itoa(len(body))
	for _, row := range rows {
		for _, v := range row {
			body = binary.LittleEndian.AppendUint32(body, math.Float32bits(float32(v)))
		}
	}
	return body, header
}

func TestPredictorKeepsTheOrder(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		length, headerErr := strconv.Atoi(r.Header.Get("Inference-Header-Content-Length"))
		if err != nil || headerErr != nil || r.URL.Path != "/v2/models/some/infer" {
			http.Error(w, "unexpected request", http.StatusBadRequest)
			return
		}
		var rows [][]float64
		for tensor := body[length:]; len(tensor) > 0; tensor = tensor[5:] { // files of one byte
			rows = append(rows, []float64{float64(tensor[4]), 0.5})
		}
		out, header := answer(rows)
		w.Header().Set("Inference-Header-Content-Length", header)
		w.Write(out)
	}))
	defer server.Close()
	var files [][]byte
	for i := range 2*maxBatch + 3 {
		files = append(files, []byte{byte(i)})
	}
	rows, err := predictor(strings.TrimPrefix(server.URL, "http://"), "some")(t.Context(), files)
	if err != nil || len(rows) != len(files) {
		t.Fatalf("%d rows of %d files, error %v", len(rows), len(files), err)
	}
	for i, row := range rows {
		if !slices.Equal(row, []float64{float64(i), 0.5}) {
			t.Errorf("row %d is %v", i, row)
		}
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	good, header := answer([][]float64{{1, 0}, {0, 1}})
	if _, err := scores(good, header, 2); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		body   []byte
		header string
		n      int
	}{
		"no header":    {good, "", 2},
		"long header":  {good, "100000", 2},
		"other header": {good, "7", 2},
		"other number": {good, header, 3},
		"cut off":      {good[:len(good)-1], header, 2},
		"too long":     {append(slices.Clone(good), 0), header, 2},
		"empty":        {nil, "0", 2},
	} {
		if rows, err := scores(test.body, test.header, test.n); err == nil {
			t.Errorf("%s: read as %v", name, rows)
		}
	}
}
