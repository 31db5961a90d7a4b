package imports

import (
	"go/ast"
	"slices"
	"testing"
)

// pure packages decide and do nothing else. Time and randomness come in as
// parameters, so that a test or a simulator replays a day in seconds and gets
// the same decisions every time; and they start nothing, so that the caller's
// lock or loop is all the synchronisation there is.
var pure = []string{"swarm/exchange", "swarm/picker", "tracker/leases", "tracker/registry", "tracker/tasks", "tracker/topology"}

// clock are the functions of package time that read the clock or wait for it.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// seeded are the names of math/rand/v2 that take their randomness from the
// caller, or are types; all others draw from the process's global source.
var seeded = []string{"New", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "Source", "PCG", "ChaCha8", "Zipf"}

func TestPure(t *testing.T) {
	for _, p := range packages(t) {
		if !withinAny(p.name, pure) {
			continue
		}
		for _, f := range p.files {
			ast.Inspect(f.File, func(n ast.Node) bool {
				if what := impure(f, n); what != "" {
					t.Errorf("%s: %s in a pure package: events or calls go in with the time and a random source, decisions come out", f.at(n), what)
				}
				return true
			})
		}
	}
}

func impure(f file, n ast.Node) string {
	if _, ok := n.(*ast.GoStmt); ok {
		return "a goroutine"
	}
	switch importPath, name := f.selected(n); {
	case importPath == "time" && slices.Contains(clock, name):
		return "time." + name
	case importPath == "math/rand/v2" && !slices.Contains(seeded, name):
		return "the global source of rand." + name
	case importPath == "crypto/rand":
		return "crypto/rand." + name
	}
	return ""
}
