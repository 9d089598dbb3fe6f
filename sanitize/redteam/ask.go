package redteam

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// asker sends files through legs to the model, and counts.
type asker struct {
	predict  Predict
	legs     []Profile // the first is raw
	batch    int
	progress func(done, all int)
	asked    int // predictions so far
	all      int // that are expected in the end
	classes  int // of the model; 0: not known yet
}

func newAsker(predict Predict, profiles []Profile, batch int, progress func(done, all int)) asker {
	if batch == 0 {
		batch = defaultBatch
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	raw := Profile{Name: rawName, Sanitize: func(_ context.Context, file []byte) ([]byte, error) { return file, nil }}
	return asker{predict: predict, legs: append([]Profile{raw}, profiles...), batch: batch, progress: progress}
}

// expect adds to the predictions that are to come.
func (a *asker) expect(n int) { a.all += n }

// skip takes n away from them.
func (a *asker) skip(n int) { a.all -= n }

// allLegs are the indices of the legs.
func (a *asker) allLegs() []int {
	legs := make([]int, len(a.legs))
	for i := range legs {
		legs[i] = i
	}
	return legs
}

// source makes file i of n.
type source struct {
	n    int
	make func(i int) ([]byte, error)
}

// refused is the answer to a file that the profile or the model refuses.
const refused = -1

// ask returns the classes that the model answers, by leg and file.
func (a *asker) ask(ctx context.Context, s source, legs []int) ([][]int, error) {
	answers := make([][]int, len(legs))
	for start := 0; start < s.n; start += a.batch {
		n := min(a.batch, s.n-start)
		files, err := parallel(n, func(i int) ([]byte, error) { return s.make(start + i) })
		if err != nil {
			return nil, err
		}
		for l, leg := range legs {
			rows, err := a.scores(ctx, a.legs[leg], files)
			if err != nil {
				return nil, err
			}
			for _, row := range rows {
				answers[l] = append(answers[l], top(row))
			}
		}
	}
	return answers, nil
}

// scores sends one batch through one leg. The row of a file that is refused is nil.
func (a *asker) scores(ctx context.Context, leg Profile, files [][]byte) ([][]float64, error) {
	clean, err := parallel(len(files), func(i int) ([]byte, error) {
		out, err := leg.Sanitize(ctx, files[i])
		if err != nil {
			return nil, ctx.Err()
		}
		return out, nil
	})
	if err != nil {
		return nil, err
	}
	var sent [][]byte
	var from []int
	for i, file := range clean {
		if file != nil {
			sent, from = append(sent, file), append(from, i)
		}
	}
	rows := make([][]float64, len(files))
	if len(sent) > 0 {
		got, err := a.predict(ctx, sent)
		if err != nil {
			return nil, fmt.Errorf("redteam: the model: %w", err)
		}
		if err := a.check(got, len(sent)); err != nil {
			return nil, err
		}
		for i, row := range got {
			rows[from[i]] = row
		}
	}
	a.asked += len(files) // those that a profile refuses, too, so that the count is foreseeable
	a.progress(a.asked, max(a.all, a.asked))
	return rows, ctx.Err()
}

// check holds that a model answers as Predict says.
func (a *asker) check(rows [][]float64, files int) error {
	if len(rows) != files {
		return fmt.Errorf("redteam: the model answers %d files with %d rows", files, len(rows))
	}
	for _, row := range rows {
		if len(row) == 0 {
			continue
		}
		if a.classes == 0 {
			a.classes = len(row)
		}
		if len(row) != a.classes {
			return fmt.Errorf("redteam: the model answers with %d classes, and %d before", len(row), a.classes)
		}
	}
	return nil
}

// top is the class with the greatest score; of equal ones the first, and never NaN.
func top(row []float64) int {
	best := refused
	for i, v := range row {
		if v == v && (best < 0 || v > row[best]) {
			best = i
		}
	}
	return best
}

// parallel makes n values with all processors.
func parallel[T any](n int, f func(i int) (T, error)) ([]T, error) {
	out := make([]T, n)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() (err error) {
			out[i], err = f(i)
			return err
		})
	}
	return out, group.Wait()
}
