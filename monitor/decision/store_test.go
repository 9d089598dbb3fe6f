package decision

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

func id(n int) string { return fmt.Sprintf("%026d", n) }

func ids(records []*Record) (all []string) {
	for _, r := range records {
		all = append(all, strings.TrimLeft(r.ID, "0"))
	}
	return all
}

func TestTheOldestOfItsKindGoes(t *testing.T) {
	s := newStore(3, 2)
	for i, verdict := range []Verdict{Block, Pass, Flag, Sanitize, Error, Pass, Block} { // 1 to 7
		s.Add(Record{ID: id(i + 1), Verdict: verdict})
	}
	for n, kept := range map[int]bool{1: false, 2: false, 3: true, 4: true, 5: true, 6: true, 7: true, 8: false} {
		if r, ok := s.Get(id(n)); ok != kept || ok && r.ID != id(n) {
			t.Errorf("Get(%d) = %v, %v, want kept: %v", n, r, ok, kept)
		}
	}
	if len(s.byID) != 5 {
		t.Errorf("%d ids are known of 5 records: the others leak", len(s.byID))
	}
	for _, tc := range []struct {
		n       int
		verdict Verdict
		want    string
	}{
		{10, "", "[7 6 5 4 3]"}, {2, "", "[7 6]"}, {0, "", "[]"}, {-1, "", "[]"},
		{10, Block, "[7]"}, {10, Pass, "[6]"}, {10, Sanitize, "[4]"}, {1, Flag, "[3]"}, {10, "other", "[]"},
	} {
		if got := fmt.Sprint(ids(s.Last(tc.n, tc.verdict))); got != tc.want {
			t.Errorf("Last(%d, %q) = %s, want %s", tc.n, tc.verdict, got, tc.want)
		}
	}
}

// What enforcing would refuse or flag is asked about like what was.
func TestShadowVerdictsAreKeptWithTheMarked(t *testing.T) {
	for _, tc := range []struct {
		record Record
		marked bool
	}{
		{Record{Verdict: Pass}, false},
		{Record{Verdict: Sanitize}, false},
		{Record{Verdict: Pass, Shadow: "sanitize"}, false},
		{Record{Verdict: Pass, Shadow: "flag"}, true},
		{Record{Verdict: Sanitize, Shadow: "block"}, true},
		{Record{Verdict: Flag}, true},
		{Record{Verdict: Block}, true},
		{Record{Verdict: Error}, true},
		{Record{}, true},
	} {
		if got := tc.record.marked(); got != tc.marked {
			t.Errorf("%+v is marked: %v, want %v", tc.record, got, tc.marked)
		}
	}
}

// An id that comes again, which chance does not do, leads to the newer record,
// also when the older one goes.
func TestAnIDThatComesAgain(t *testing.T) {
	s := newStore(2, 1)
	s.Add(Record{ID: id(1), Reason: "old"})
	s.Add(Record{ID: id(1), Reason: "new"})
	s.Add(Record{ID: id(2)})
	if r, ok := s.Get(id(1)); !ok || r.Reason != "new" {
		t.Errorf("Get = %+v, %v", r, ok)
	}
	s.Add(Record{ID: id(3)})
	if _, ok := s.Get(id(1)); ok || len(s.byID) != 2 {
		t.Errorf("an id outlives its record: %v", s.byID)
	}
}

// fill puts text into every string that v holds.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() && v.Type() != reflect.TypeFor[time.Time]() {
				fill(v.Field(i), text)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1000, 1000))
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	}
}

// size is the memory that v holds, without v itself.
func size(v reflect.Value) (bytes int) {
	switch v.Kind() {
	case reflect.String:
		return v.Len()
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type() != reflect.TypeFor[time.Time]() {
				bytes += size(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			bytes += int(v.Type().Elem().Size()) + size(v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return int(v.Type().Elem().Size()) + size(v.Elem())
		}
	}
	return bytes
}

func TestARecordIsBounded(t *testing.T) {
	for _, text := range []string{strings.Repeat("x", 10_000), strings.Repeat("€", 10_000), strings.Repeat("\xff", 10_000), strings.Repeat("\x00", 10_000)} {
		var r Record
		fill(reflect.ValueOf(&r).Elem(), text)
		kept := r.keep()
		if got := int(unsafe.Sizeof(*kept)) + size(reflect.ValueOf(*kept)); got > 8<<10 {
			t.Errorf("a record of %q takes %d bytes, want at most 8 KiB", text[:4], got)
		}
		if len(kept.Findings) != MaxFindings || kept.MoreFindings != 1000-MaxFindings {
			t.Errorf("%d findings are kept and %d left out, want %d of 1000", len(kept.Findings), kept.MoreFindings, MaxFindings)
		}
		if !strings.HasSuffix(kept.Detail, "…") {
			t.Errorf("a cut text ends in %q, want …", kept.Detail[len(kept.Detail)-5:])
		}
		if len(r.Findings) != 1000 || r.Detail != text {
			t.Error("keep changed the record of its caller")
		}
	}
}

// What is kept does not hold on to the memory of what it was cut from.
func TestARecordSharesNoMemory(t *testing.T) {
	path := "/v2/models/m/infer?" + strings.Repeat("x", 60_000)
	r := Record{Path: path[:18], Model: path[11:12], Findings: []Finding{{Part: path[11:12], Measured: &Measured{Of: path[:1]}}}}
	kept := r.keep()
	low := uintptr(unsafe.Pointer(unsafe.StringData(path)))
	for _, s := range []string{kept.Path, kept.Model, kept.Findings[0].Part, kept.Findings[0].Measured.Of} {
		if at := uintptr(unsafe.Pointer(unsafe.StringData(s))); at >= low && at < low+uintptr(len(path)) {
			t.Errorf("%q is a view into the path of the request", s)
		}
	}
}

func TestTextsAreForOneLineOfATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain ÄΩ 火":                     "plain ÄΩ 火",
		"a\x1b[2Jb\nc\td":                "a?[2Jb?c?d",
		"a\u202eb\u200bc\u00adz\u2028":   "a?b?c?z?",
		"not UTF-8 \xff\xfe":             "not UTF-8 ??",
		strings.Repeat("x", maxDetail):   strings.Repeat("x", maxDetail),
		strings.Repeat("é", maxDetail/2): strings.Repeat("é", maxDetail/2),
	} {
		if got := (&Record{Detail: in}).keep().Detail; got != want {
			t.Errorf("%q is kept as %q, want %q", in, got, want)
		}
	}
	long := (&Record{Detail: strings.Repeat("é", maxDetail)}).keep().Detail
	if long != strings.Repeat("é", (maxDetail-len("…"))/2)+"…" {
		t.Errorf("a long text is kept as %q", long)
	}
}

// What JSON has no form for cannot make a whole record unreadable.
func TestNumbersThatJSONLacks(t *testing.T) {
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		s := newStore(1, 1)
		s.Add(Record{ID: id(1), Findings: []Finding{{Rule: "a", Measured: &Measured{Value: x}}, {Rule: "b", Measured: &Measured{Threshold: x}},
			{Rule: "c", Measured: &Measured{Of: "confidence", Value: 0.25, Threshold: 0.5, Index: 3}}}})
		r, _ := s.Get(id(1))
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back Record
		if err := json.Unmarshal(text, &back); err != nil || len(back.Findings) != 3 || back.Findings[0].Measured != nil ||
			back.Findings[1].Measured != nil || *back.Findings[2].Measured != (Measured{"confidence", 0.25, 0.5, 3}) {
			t.Errorf("%s reads as %+v, %v", text, back, err)
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	s := newStore(50, 20)
	const writers, each = 8, 500
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				s.Add(Record{ID: id(w*each + i), Verdict: []Verdict{Block, Pass}[i%2], Model: "m", Findings: []Finding{{Rule: "r"}}})
			}
		})
		all.Go(func() {
			for i := range each {
				last := s.Last(10, "")
				for _, r := range last {
					if r.Model != "m" || len(r.Findings) != 1 {
						t.Errorf("half a record: %+v", r)
					}
				}
				s.Get(id(i))
			}
		})
	}
	all.Wait()
	if got := len(s.Last(writers*each, "")); got != 70 || len(s.byID) != 70 {
		t.Errorf("%d records and %d ids are kept, want 70", got, len(s.byID))
	}
	order := uint64(math.MaxUint64)
	for _, r := range s.Last(70, "") {
		if e := s.byID[r.ID]; e == nil || e.record != r || e.order >= order {
			t.Fatalf("record %s is out of order, or another one's", r.ID)
		} else {
			order = e.order
		}
	}
}

func TestValidID(t *testing.T) {
	for text, want := range map[string]bool{
		"06H0W2DF2ZC91G55F7QW7HR0V0": true, "0123456789ABCDEFGHJKMNPQRS": true, "TVWXYZ00000000000000000000": true,
		"": false, "06H0W2DF2ZC91G55F7QW7HR0V": false, "06H0W2DF2ZC91G55F7QW7HR0V00": false,
		"06h0w2df2zc91g55f7qw7hr0v0": false, "06H0W2DF2ZC91G55F7QW7HR0VI": false, "06H0W2DF2ZC91G55F7QW7HR0VU": false,
		"../../../../../../../../..": false, "06H0W2DF2ZC91G55F7QW7HR0V\n": false,
	} {
		if got := ValidID(text); got != want {
			t.Errorf("ValidID(%q) = %v, want %v", text, got, want)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	s := New()
	r := Record{ID: id(1), Protocol: "kserve_v2_http", Operation: "infer", Method: "POST", Path: "/v2/models/m/versions/1/infer", Model: "m", Version: "1",
		Mode: "enforce", Verdict: Pass, Phase: ResponseBody, Config: strings.Repeat("0", 64), BodyHash: strings.Repeat("0", 32), TraceID: strings.Repeat("0", 32)}
	b.ReportAllocs()
	for b.Loop() {
		s.Add(r)
	}
}
