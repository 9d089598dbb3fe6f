//go:build !race

package sanitize

// fileCopies is how many times the size of a file may be allocated beside what is
// reserved.
const fileCopies = 3
