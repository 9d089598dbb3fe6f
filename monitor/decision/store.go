// Package decision keeps the evidence of the last decisions in memory, so that an
// operator who was told a decision id can ask what decided. Memory is constant:
// the numbers of records are fixed, and each has a bounded size.
package decision

import (
	"strings"
	"sync"
)

// How many decisions a store keeps. A flood of one kind does not push out the other.
const (
	KeptMarked  = 10_000 // refused or flagged, or that enforcing would have
	KeptAllowed = 1_000
)

// Store holds the last decisions. It is safe for concurrent use; no call holds up
// another for longer than it takes to copy a list of pointers.
type Store struct {
	mu      sync.Mutex
	added   uint64 // records so far
	byID    map[string]*entry
	marked  ring
	allowed ring
}

// entry is a record with its place in the order of all.
type entry struct {
	record *Record // immutable
	order  uint64
}

// New returns an empty store.
func New() *Store { return newStore(KeptMarked, KeptAllowed) }

func newStore(marked, allowed int) *Store {
	return &Store{byID: map[string]*entry{},
		marked: ring{entries: make([]*entry, marked)}, allowed: ring{entries: make([]*entry, allowed)}}
}

// Add keeps a copy of r: findings beyond MaxFindings are counted, long texts are
// cut and end in "…". The oldest record of its kind may go.
func (s *Store) Add(r Record) {
	e := &entry{record: r.keep()}
	kind := &s.allowed
	if r.marked() {
		kind = &s.marked
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.added++
	e.order = s.added
	if gone := kind.push(e); gone != nil && s.byID[gone.record.ID] == gone {
		delete(s.byID, gone.record.ID)
	}
	s.byID[e.record.ID] = e
}

// Get returns the record of a decision, which nobody may change, and whether it
// is kept.
func (s *Store) Get(id string) (*Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.byID[id]
	if !ok {
		return nil, false
	}
	return e.record, true
}

// Last returns at most n records, the newest first, of one verdict or of all if
// verdict is "". Nobody may change them.
func (s *Store) Last(n int, verdict Verdict) []*Record {
	s.mu.Lock()
	marked, allowed := s.marked.newestFirst(), s.allowed.newestFirst()
	s.mu.Unlock()
	var records []*Record
	for len(records) < n && len(marked)+len(allowed) > 0 {
		next := &marked
		if len(marked) == 0 || len(allowed) > 0 && allowed[0].order > marked[0].order {
			next = &allowed
		}
		if r := (*next)[0].record; verdict == "" || r.Verdict == verdict {
			records = append(records, r)
		}
		*next = (*next)[1:]
	}
	return records
}

// ring is a list of a fixed length whose oldest entry makes way for the newest.
type ring struct {
	entries []*entry // nil where none was yet
	next    int      // the place of the next one
}

// push adds an entry and returns the one that had to go, or nil.
func (r *ring) push(e *entry) (gone *entry) {
	gone, r.entries[r.next] = r.entries[r.next], e
	r.next = (r.next + 1) % len(r.entries)
	return gone
}

func (r *ring) newestFirst() []*entry {
	list := make([]*entry, 0, len(r.entries))
	for i := range r.entries {
		if e := r.entries[(r.next-1-i+2*len(r.entries))%len(r.entries)]; e != nil {
			list = append(list, e)
		}
	}
	return list
}

// idLetters are the digits of a decision id: those of a ULID, without I, L, O, U.
const idLetters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// ValidID reports whether a text has the form of a decision id: 26 digits of
// Crockford's base 32, in upper case.
func ValidID(id string) bool { return len(id) == 26 && strings.Trim(id, idLetters) == "" }
