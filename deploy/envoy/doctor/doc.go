// Package doctor examines what stands around Weir: any configuration of Envoy, as a
// bootstrap or as a dump of a running one, and the command line of Triton. It says
// what lets requests pass Weir by, what fails requests that Weir would let through,
// and what it cannot judge. RULES.md lists what it finds.
//
// # How it reads
//
// A configuration is read as a tree of names and values, not as Envoy's messages: so
// one reader takes YAML and JSON, both spellings of a field, extensions that are
// wrapped in a TypedStruct, and fields of versions to come. What Envoy would refuse is
// not looked for; two fields of one name are an error, as readers differ about which
// counts. A flag that cannot be read counts as set.
//
// # What it takes for what
//
// The ext_proc filter that asks Weir is the one that leads to the socket of the
// configuration; in a chain to the model server without such a filter, its last
// ext_proc filter stands for it and is reported. The model server is every cluster with an endpoint of the
// configuration; if there is none, every cluster behind Weir. Routes are judged by
// where they lead: those to other clusters are nobody's business here.
//
// Body modes are judged by flow: for each kind of request that Weir lets through, the
// routes that may take it are found as Envoy does, and their modes are held against
// those that the flow needs (envoy.BodyModes). A route with a condition that only a
// request can tell, such as a header, is judged as if it were taken, and so is what
// follows it.
//
// Filters around Weir's are judged by lists. Those of Envoy's that are on none, and
// those of others, cannot be judged; neither can what a bootstrap leaves to a
// management server. Both are reported as such, never passed in silence.
package doctor
