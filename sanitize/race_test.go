//go:build race

package sanitize

// fileCopies is how many times the size of a file may be allocated beside what is
// reserved. With the race detector the compiler does not see that bytes.Buffer grows
// into what it has just made, and makes it twice.
const fileCopies = 8
