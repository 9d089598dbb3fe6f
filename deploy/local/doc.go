// Package local runs the real stack on one machine: Triton Inference Server,
// Envoy, Prometheus and whatever else a demonstration, an end-to-end test or a
// benchmark needs, as ordinary processes on free loopback ports.
//
// deps.sh ("make deps") installs the programs; [FindDeps] finds them. Each
// process runs in a process group of its own with its output in a log file. It
// is stopped when its context ends, and the kernel kills it when the process
// that started it dies without being able to stop anything.
//
// The package is for Linux: it relies on parent-death signals and on abstract
// Unix sockets.
package local
