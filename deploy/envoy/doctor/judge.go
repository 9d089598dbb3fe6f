package doctor

import (
	"fmt"
	"net"
	"strings"
)

// Envoy examines a bootstrap, or a dump of a running Envoy, in YAML or JSON. file
// is the name in findings; "" leaves out lines. The error says that data is not such
// a file.
func Envoy(data []byte, file string, expect Expect) (*Report, error) {
	root, err := read(data)
	if err != nil {
		return nil, err
	}
	s, err := newSnapshot(root)
	if err != nil {
		return nil, err
	}
	j := &judge{snapshot: s, expect: expect, file: file, report: &Report{}}
	j.all()
	return j.report, nil
}

// judge examines one snapshot.
type judge struct {
	*snapshot
	expect   Expect
	file     string
	report   *Report
	clusters map[string]*cluster
	managers []*manager
	tunnels  []*node // filters that are not of HTTP
}

func (j *judge) all() {
	j.readClusters()
	j.readManagers()
	j.findModelServer()
	j.admin()
	j.runtime()
	for _, t := range j.tunnels {
		j.tunnel(t)
	}
	for _, m := range j.managers {
		switch {
		case m.weir != nil:
			j.guarded(m)
		case !m.hidden: // one that is hidden may lead to Weir
			j.unguarded(m)
		}
	}
	for _, c := range j.clusters {
		j.cluster(c)
	}
	for _, p := range j.unseen {
		j.report.Unjudged = append(j.report.Unjudged, Unjudged{File: j.file, Path: p.at.path(), Line: j.line(p.at), What: p.what})
	}
	j.report.sort()
}

// find adds a finding at a node.
func (j *judge) find(at *node, rule, format string, args ...any) {
	j.report.find(rule, j.file, j.line(at), at.path(), fmt.Sprintf(format, args...))
}

func (j *judge) line(at *node) int {
	if at == nil || j.file == "" {
		return 0
	}
	return at.line
}

// admin judges who reaches Envoy's admin interface.
func (j *judge) admin() {
	at := j.bootstrap.get("admin", "address")
	if a := addressOf(at); at != nil && !a.local() {
		j.find(at, adminRoutable, "it is bound to %s", a)
	}
}

// runtime judges the runtime flags that change the filter.
func (j *judge) runtime() {
	for _, layer := range j.bootstrap.get("layered_runtime", "layers").list() {
		static := layer.get("static_layer")
		static.walk(func(n *node) bool {
			if path := n.path(); n.kind == scalar && n.isFalse() && strings.Contains(path[len(static.path()):], "ext_proc") {
				j.find(n, runtimeGuard, "it is false")
			}
			return true
		})
	}
}

// address is where a cluster leads to, or a listener listens.
type address struct {
	host string
	port int64
	pipe string // the path of a Unix socket, instead
}

// addressOf reads a core.v3.Address.
func addressOf(n *node) address {
	socket := n.get("socket_address")
	return address{host: socket.get("address").string(), port: socket.get("port_value").number(0), pipe: n.get("pipe", "path").string()}
}

// local reports whether nobody but this machine, or pod, reaches the address.
func (a address) local() bool { return a.pipe != "" || isLoopback(a.host) }

func isLoopback(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (a address) String() string {
	if a.pipe != "" {
		return a.pipe
	}
	return net.JoinHostPort(a.host, fmt.Sprint(a.port))
}

// is reports whether both are one address; the names of the loopback are alike.
func (a address) is(b address) bool {
	return a == b || a.pipe == "" && a.port == b.port && isLoopback(a.host) && isLoopback(b.host)
}
