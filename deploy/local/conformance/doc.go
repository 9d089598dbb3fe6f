// Command conformance runs NVIDIA's own client examples and server tests through
// Envoy and Weir, and writes what became of each to a report.
//
//	conformance -client DIR -server DIR [-client-revision COMMIT] [-server-revision COMMIT] [-run REGEXP | -again]
//
// DIR is a fetched copy of triton-inference-server/client or /server, which are no
// part of this repository. Their addresses are fixed, localhost:8000 and :8001, and :8002
// for Triton's metrics, so these ports must be free ("make conformance" passes the other options on, from the
// variable CONFORMANCE). Everything runs three times: against Triton alone, as the
// control; through Weir with a policy that opens nothing beside inference; and through
// Weir with one that opens what clients of NVIDIA's ask for (endpoints config,
// statistics and repository_index, parameters of sequences).
//
// The models have the names, inputs and outputs that the examples and tests expect,
// but are small programs in Python.
package main
