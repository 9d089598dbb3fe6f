package filter

import (
	"net/http"
	"regexp"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"

	"weir/filter/codec"
	"weir/filter/policy"
	"weir/sanitize"
)

// TestEveryReasonHasAStatus holds the one table against the lists of the
// packages that own the reasons.
func TestEveryReasonHasAStatus(t *testing.T) {
	want := []Reason{UpstreamNotReady, UpstreamError, UpstreamMissing, UpstreamTimeout, Overloaded, DeadlineExceeded, BodyTimeout,
		InternalError, ProxyModeUnsafe, ResponseUnexpected}
	for _, r := range codec.Reasons() {
		want = append(want, Reason(r))
	}
	for _, r := range policy.Reasons() {
		want = append(want, Reason(r))
	}
	for _, r := range sanitize.Reasons() {
		want = append(want, Reason(r))
	}
	for _, r := range want {
		if _, ok := statuses[r]; !ok {
			t.Errorf("reason %s has no status", r)
		}
	}
	for _, r := range Reasons() {
		if !slices.Contains(want, r) {
			t.Errorf("status of %s, which no package has", r)
		}
	}
}

func TestStatusesFollowTheRules(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for _, r := range Reasons() {
		s := r.Status()
		if !name.MatchString(string(r)) {
			t.Errorf("%s is not lower_snake_case", r)
		}
		if s.GRPC == codes.Unavailable || s.GRPC == codes.OK {
			t.Errorf("%s: gRPC code %s; clients retry UNAVAILABLE", r, s.GRPC)
		}
		if s.HTTP < 400 || s.HTTP > 599 || http.StatusText(s.HTTP) == "" {
			t.Errorf("%s: HTTP status %d is no error", r, s.HTTP)
		}
		if s.Sentence == "" || s.Hint == "" {
			t.Errorf("%s: no sentence or hint", r)
		}
	}
	if Reason("no_such_reason").Status() != statuses[InternalError] {
		t.Error("an unknown reason is not an internal error")
	}
}
