package main

import (
	"regexp"
	"slices"
	"strings"
)

// difference is something that Weir does in another way than Triton, on purpose.
type difference struct {
	rows     *regexp.Regexp // which scripts and tests fail because of it, by "FILE NAME"
	profiles []profile
	reason   string // among Weir's refusals meanwhile; "": it refuses nothing
	why      string
	tests    string // of deploy/e2e, which hold it
}

var (
	both       = []profile{closed, open}
	onlyClosed = []profile{closed}
)

// explains reports whether a row failed under a profile because of the difference.
func (d difference) explains(line *row, p profile) bool {
	return slices.Contains(d.profiles, p) && d.rows.MatchString(strings.TrimSpace(line.file+" "+line.name)) &&
		(d.reason == "" || slices.Contains(line.outcomes[p].reasons, d.reason))
}

// differences are in the order in which they are looked for.
var differences = []difference{
	{
		regexp.MustCompile(`shm|shared_memory|reuse_infer_objects`), both, "route_denied",
		"Shared memory cannot be inspected: its endpoints are closed, whatever the policy.", "TestSharedMemory, TestSharedMemoryOverGRPC",
	},
	{
		regexp.MustCompile(`model_control|load_model`), both, "route_denied",
		"Models are not loaded and unloaded through Weir, whatever the policy.", "TestRepositoryControl, TestControlOverGRPC",
	},
	{
		regexp.MustCompile(`trace_settings`), both, "route_denied",
		"Trace settings are closed, whatever the policy.", "TestTraceAndLogSettings, TestControlOverGRPC",
	},
	{
		regexp.MustCompile(`.`), onlyClosed, "route_denied",
		"Configuration, statistics and the index of the repository are closed unless the policy opens them.", "TestEndpointsAreOpenedByThePolicy",
	},
	{
		regexp.MustCompile(`sequence`), onlyClosed, "parameter_not_allowed",
		"Parameters of sequences are refused unless the policy names them.", "TestTrick31ParametersOverGRPC",
	},
	{
		regexp.MustCompile(`health_metadata|infer_client`), both, "model_unknown",
		"A model without rules is refused in Weir's words, whether the server has it or not; the client looks for Triton's words.", "TestOtherPaths, TestControlOverGRPC",
	},
}
