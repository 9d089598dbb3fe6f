package doctor

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Envoy examines a bootstrap, or a dump of a running Envoy, in YAML or JSON. file
// is the name in findings. The error says that data is not such a file.
func Envoy(data []byte, file string, expect Expect) (*Report, error) {
	root, err := read(data)
	if err != nil {
		return nil, err
	}
	s, err := newSnapshot(root)
	if err != nil {
		return nil, err
	}
	j := &judge{snapshot: s, expect: expect, file: file, report: &Report{}, mismatched: map[*node]bool{}}
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
	known    bool // a cluster leads to the model server
	managers []*manager
	tunnels  []*node // filters that are not of HTTP
	// mismatched are the routes with body modes that some request cannot have.
	mismatched map[*node]bool
}

func (j *judge) all() {
	j.readClusters()
	j.readManagers()
	j.findModelServer()
	j.findWeir()
	j.guessModelServer()
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
		j.report.Unjudged = append(j.report.Unjudged, Unjudged{File: j.file, Path: p.at.path(), Line: p.at.line, What: p.what})
	}
	j.report.sort()
}

// find adds a finding at a node.
func (j *judge) find(at *node, rule, format string, args ...any) {
	j.report.find(rule, j.file, at.line, at.path(), fmt.Sprintf(format, args...))
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
	host   string
	port   int64
	inside string // instead: the path of a Unix socket, or the name of an internal listener
}

// addressOf reads a core.v3.Address.
func addressOf(n *node) address {
	if socket := n.get("socket_address"); socket != nil {
		return address{host: socket.get("address").string(), port: socket.get("port_value").number(0)}
	}
	if name := n.get("envoy_internal_address", "server_listener_name"); name != nil {
		return address{inside: name.text}
	}
	return address{inside: n.get("pipe", "path").string()}
}

// local reports whether nobody but this machine, or pod, reaches the address.
func (a address) local() bool { return a.inside != "" || isLoopback(a.host) }

func isLoopback(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (a address) String() string {
	if a.inside != "" {
		return a.inside
	}
	return net.JoinHostPort(a.host, strconv.FormatInt(a.port, 10))
}

// is reports whether both are one address; the names of the loopback are alike.
func (a address) is(b address) bool {
	return a == b || a.inside == "" && b.inside == "" && a.port == b.port && isLoopback(a.host) && isLoopback(b.host)
}
