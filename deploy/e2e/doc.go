// Package e2e tests the shipped configuration end to end: the real Envoy with
// the bootstrap that Weir writes for it, a real Weir built with the race
// detector, and the real Triton. What must never happen is proved by what the
// other side saw: Triton's own counters, the record of its echo models, and every
// byte that Envoy sent to the model server. The ways around a firewall that are
// tried are listed in trick_index_test.go.
//
// The tests carry the build tag e2e and need what "make deps" installs.
package e2e
