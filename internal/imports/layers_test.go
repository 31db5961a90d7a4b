package imports

import (
	"slices"
	"strings"
	"testing"
)

// layer says which of the module's packages those within a prefix may import
// besides each other. The longest prefix that a package is within counts. Only
// what is linked into programs is meant: tests may reach further, as a node's
// tests do that run a real tracker.
type layer struct {
	prefix string
	may    []string
	why    string
}

// layers is the direction of imports, from the bottom to the top.
var layers = []layer{
	{".", nil,
		"the nouns are what all packages share: they import nothing of ours, so that everything else can import them"},
	{"swarm/wire", []string{"."},
		"the protocol is a format: it can be read, fuzzed and reused without the engine"},
	{"swarm/picker", []string{"."},
		"piece choice is pure: a simulator drives it without any network"},
	{"swarm/exchange", []string{".", "swarm/picker"},
		"decisions are pure: they know events and actions, not the bytes or connections that carry them"},
	{"swarm/transport", []string{"."},
		"connections are below contents: they know peers and streams, not what is said on them"},
	{"swarm/dht", []string{".", "swarm", "swarm/transport"},
		"the DHT finds peers by the keys of contents: what becomes of them, and when it is needed, node says"},
	{"swarm", []string{"."},
		"a swarm knows no tracker, disk or HTTP: it declares the interfaces it needs and node supplies them"},
	{"fallback", []string{".", "internal/redact", "internal/sockopt"},
		"upstreams and swarms are two ways to get a piece; node chooses, so neither knows the other"},
	{"netprobe", []string{".", "internal/sockopt"},
		"where an address is and how good a path is serves nodes and trackers alike, so it depends on neither"},

	{"tracker/api", []string{"."},
		"messages are shared by both sides, which otherwise don't know each other"},
	{"tracker/registry", []string{".", "tracker/api", "tracker/internal"},
		"soft state is rebuilt from announces alone: it must not reach for the database or the tasks"},
	{"tracker/tasks", []string{".", "tracker/api", "tracker/internal"},
		"what becomes of a task follows from reports: it must not reach for the database or the registry"},
	{"tracker/leases", []string{".", "tracker/api", "tracker/registry"},
		"who may read what from where follows from requests and what nodes announced: no database, no sockets"},
	{"tracker/topology", []string{".", "tracker/api"},
		"the lines between carriers are what nodes say of them: nothing else is asked, and nothing decided"},
	{"tracker", []string{".", "netprobe", "internal/redact"},
		"the tracker imports neither node nor swarm: it would run the swarm's code for nothing but its types"},

	{"node/api", []string{".", "tracker/api"},
		"a client of a node must not link the node"},
	{"node/journal", []string{".", "internal/durable"},
		"records on disk are JSON of any type to it"},
	{"node/peerbook", []string{".", "swarm"},
		"who was known last is a list on disk: who tells of peers, and who tries them, is node's business"},
	{"node/store", []string{".", "internal/durable"},
		"pieces on disk know nobody who fetches or serves them"},
	{"node/announce", []string{".", "tracker/api"},
		"the talk with the tracker goes through a small interface, so that it can be tested without a node"},
	{"node/download", []string{".", "internal/durable", "node/journal"},
		"a file from a web server is bytes and a manifest: what becomes of it is node's to say"},
	{"node/discover", []string{".", "swarm"},
		"sources of peers are small interfaces: what asks them when needs neither sockets nor a tracker"},
	{"node/gateway", []string{".", "tracker/api", "internal/sockopt"},
		"HTTP before contents goes through a small interface: it can be tested, and read, without store or swarm"},
	{"node/upload", []string{".", "netprobe", "node/ingest/api", "tracker/api", "internal/nodecert", "internal/sockopt"},
		"an upload needs no node here: it knows the servers' protocol and what a path is worth, not how they keep what comes"},
	{"node/spool", []string{".", "internal/durable", "node/upload", "node/ingest/api", "tracker/api"},
		"uploads on disk know how to be sent, and nobody who produces or receives them"},
	{"node/ingest/api", []string{".", "tracker/api"},
		"a client of an ingest node must not link the node"},
	{"node/ingest/uploads", []string{".", "tracker/api", "node/ingest/api", "internal/durable"},
		"uploads on disk know neither HTTP nor who serves them: several processes and protocols share them"},
	{"node/ingest/pace", []string{".", "node/ingest/api"},
		"how slowly a body may come is HTTP's business: it knows neither what comes nor where it goes"},
	{"node/ingest/tus", []string{".", "tracker/api", "node/ingest/api", "node/ingest/pace", "node/ingest/uploads", "internal/durable"},
		"another protocol before the same store: it knows nothing of hosting"},
	{"node/ingest", []string{".", "tracker/api", "node/store", "internal/durable"},
		"uploads go through small interfaces to library and tracker, so that they can be tested without a node"},
	{"node/supply", []string{".", "swarm", "fallback", "tracker/api", "internal/nodecert"},
		"it makes upstreams help a swarm, and is where the two meet: disk and announces are not its business"},
	{"node", []string{".", "swarm", "fallback", "netprobe", "tracker/api", "internal/nodecert", "internal/version"},
		"of the tracker, a node knows the messages and their client only: it runs without one"},

	{"cmd", []string{".", "node", "tracker", "netprobe", "fallback", "internal/nodecert", "internal/sim", "internal/version"},
		"commands are thin: what they need beyond wiring belongs in node or tracker"},

	{"internal", nil,
		"small helpers may be used from anywhere, so they use nothing of ours"},
	{"internal/nodecert", []string{"."},
		"a node's certificate is its ID in another form: whoever serves or dials needs no more to check it"},
	{"internal/sockopt", nil,
		"socket options are the kernel's: whoever opens sockets may set them"},
	{"internal/sim", []string{".", "swarm/exchange"},
		"the simulator drives the state machine that swarms run, and nothing around it: no sockets, no disk"},
	{"internal/lab", []string{".", "node/api", "tracker/api"},
		"the lab runs built binaries and knows them by their command line and HTTP, as an operator does"},
}

func layerOf(name string) *layer {
	var best *layer
	for i, l := range layers {
		if within(name, l.prefix) && (best == nil || len(l.prefix) > len(best.prefix)) {
			best = &layers[i]
		}
	}
	return best
}

// Imports go downward only.
func TestDirection(t *testing.T) {
	for _, p := range packages(t) {
		l := layerOf(p.name)
		if l == nil {
			t.Errorf("%s has no place in the layout: the top-level names are fixed (docs/architecture.md); add it to layers with a reason if it must be", p.name)
			continue
		}
		for _, f := range p.files {
			for _, imported := range f.imports {
				name, ok := ours(imported)
				if ok && !within(name, l.prefix) && !withinAny(name, l.may) {
					t.Errorf("%s imports %s: %s", f.name, imported, l.why)
				}
			}
		}
	}
}

// ban keeps packages out of those within the prefixes.
type ban struct {
	in      []string // none: all packages
	imports []string // import paths; with /... at the end also all below
	why     string
}

func matches(importPath, pattern string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return within(importPath, prefix)
	}
	return importPath == pattern
}

var bans = []ban{
	{[]string{"swarm"}, []string{"net/http", "os", "database/sql"},
		"a swarm knows no HTTP, disk or database: node has them and supplies what is needed"},
	{pure, []string{"bufio", "context", "io", "log/slog", "net", "net/http", "os", "os/exec", "syscall", "golang.org/x/sys/unix", "database/sql"},
		"a pure package does no I/O: events or calls go in, decisions come out"},
	{[]string{"swarm/wire"}, []string{"net", "time", "context"},
		"a format has no addresses, clocks or deadlines: whoever owns the connection sets them"},
	{[]string{"tracker"}, []string{"github.com/libp2p/go-libp2p/..."},
		"a tracker hands out addresses as text; it joins no swarm"},
	{nil, []string{"C"},
		"shoal is one static binary without cgo"},
	{nil, []string{"log", "expvar", "net/http/pprof", "github.com/prometheus/client_golang/prometheus/promauto"},
		"global loggers, metrics and handlers mix two nodes in one process: inject *slog.Logger, a prometheus.Registry, an http.ServeMux"},
	{nil, []string{"math/rand"},
		"math/rand/v2 replaces it, with a source that is passed in"},
	{nil, []string{"github.com/pkg/errors", "golang.org/x/exp/slices", "golang.org/x/exp/maps", "golang.org/x/exp/constraints", "golang.org/x/exp/rand"},
		"errors, fmt.Errorf with %w and the standard slices, maps, cmp and math/rand/v2 replace them"},
}

func TestBans(t *testing.T) {
	for _, p := range packages(t) {
		for _, b := range bans {
			if b.in != nil && !withinAny(p.name, b.in) {
				continue
			}
			for _, f := range p.files {
				for _, imported := range f.imports {
					if slices.ContainsFunc(b.imports, func(pattern string) bool { return matches(imported, pattern) }) {
						t.Errorf("%s imports %s: %s", f.name, imported, b.why)
					}
				}
			}
		}
	}
}

// A rule for a package that is no more would protect nothing, unnoticed.
func TestRulesApply(t *testing.T) {
	all := packages(t)
	exists := func(prefix string) bool {
		return slices.ContainsFunc(all, func(p pkg) bool { return within(p.name, prefix) })
	}
	check := func(prefixes ...string) {
		for _, prefix := range prefixes {
			if !exists(prefix) {
				t.Errorf("a rule names %q, and there is no such package", prefix)
			}
		}
	}
	for _, l := range layers {
		check(l.prefix)
		check(l.may...)
	}
	for _, b := range bans {
		check(b.in...)
	}
}
