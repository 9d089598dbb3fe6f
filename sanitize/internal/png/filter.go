package png

// Filter types (§9.2).
const (
	filterNone = iota
	filterSub
	filterUp
	filterAverage
	filterPaeth
	filterCount
)

// undoFilter reconstructs a row in place (§9.2, table 9.1). Pixels are bpp bytes, and
// above is as long as the row.
func undoFilter(filter byte, row, above []byte, bpp int) {
	above = above[:len(row)]
	switch filter {
	case filterSub:
		for i := bpp; i < len(row); i++ {
			row[i] += row[i-bpp]
		}
	case filterUp:
		for i, b := range above {
			row[i] += b
		}
	case filterAverage:
		for i := range min(bpp, len(row)) {
			row[i] += above[i] / 2
		}
		for i := bpp; i < len(row); i++ {
			row[i] += byte((int(row[i-bpp]) + int(above[i])) / 2)
		}
	case filterPaeth:
		for i := range min(bpp, len(row)) {
			row[i] += above[i] // the predictor of (0, b, 0) is b
		}
		for i := bpp; i < len(row); i++ {
			row[i] += paeth(row[i-bpp], above[i], above[i-bpp])
		}
	}
}

// paeth is the predictor of §9.4.
func paeth(a, b, c byte) byte {
	pa, pb := abs(int(b)-int(c)), abs(int(a)-int(c))
	pc := abs(int(a) + int(b) - 2*int(c))
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}

// applyFilter writes the filtered row behind its filter type into out.
func applyFilter(filter byte, out, row, above []byte, bpp int) {
	out[0] = filter
	out = out[1:]
	for i := range row {
		var a, c byte
		if i >= bpp {
			a, c = row[i-bpp], above[i-bpp]
		}
		predicted := byte(0)
		switch filter {
		case filterSub:
			predicted = a
		case filterUp:
			predicted = above[i]
		case filterAverage:
			predicted = byte((int(a) + int(above[i])) / 2)
		case filterPaeth:
			predicted = paeth(a, above[i], c)
		}
		out[i] = row[i] - predicted
	}
}

// cost is the sum of the absolute values of a filtered row as signed bytes, the
// heuristic of §12.7.
func cost(filtered []byte) int {
	sum := 0
	for _, v := range filtered[1:] {
		sum += abs(int(int8(v)))
	}
	return sum
}
