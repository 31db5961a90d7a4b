package imports

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// habit is something that compiles and that no package here may do.
type habit struct {
	importPath string
	names      []string
	why        string
}

var habits = []habit{
	{"time", []string{"Sleep"},
		"nothing ends a sleep: select on a timer and the context, so that stopping is prompt"},
	{"time", []string{"Tick"},
		"nothing stops it: use time.NewTicker and Stop"},
	{"log/slog", []string{"Default", "SetDefault", "Debug", "Info", "Warn", "Error", "Log"},
		"the global logger cannot tell two nodes in one process apart: take a *slog.Logger"},
	{"github.com/prometheus/client_golang/prometheus", []string{"MustRegister", "Register", "DefaultRegisterer", "DefaultGatherer"},
		"the global registry counts two nodes in one process together: make a prometheus.Registry"},
	{"net/http", []string{"Get", "Head", "Post", "PostForm", "DefaultClient", "DefaultServeMux", "Handle", "HandleFunc", "ListenAndServe", "ListenAndServeTLS"},
		"they have no timeouts, or share handlers with the whole process: make a client, a ServeMux, a Server"},
	{"context", []string{"TODO"},
		"a context comes from the caller"},
	{"os", []string{"Exit"},
		"only main ends the process: deferred work would be lost; return an error"},
}

// exits may end the process.
var exits = []string{"cmd/shoal/main.go", "internal/lab/bench/main.go"}

func TestHabits(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.files {
			ast.Inspect(f.File, func(n ast.Node) bool {
				importPath, name := f.selected(n)
				for _, h := range habits {
					if h.importPath != importPath || !slices.Contains(h.names, name) {
						continue
					}
					if importPath == "os" && slices.Contains(exits, f.name) {
						continue
					}
					t.Errorf("%s: %s.%s: %s", f.at(n), importPath, name, h.why)
				}
				return true
			})
		}
	}
}

// Importing a package must do nothing: what runs at start is called by main,
// in an order one can read.
func TestNoInit(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range slices.Concat(p.files, p.tests) {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s: func init: importing a package must do nothing; call it where it is wanted", f.at(fn))
				}
			}
		}
	}
}

// A test that sleeps in real time is slow where the machine is fast, and fails
// where it is slow. In a synctest bubble time is virtual; and where a kernel, a
// connection or another process is waited for, a loop may look again and again.
// In the lab everything is real, outages of a given length too.
func TestNoSleepingTests(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.tests {
			if virtual(f) || within(f.name, "internal/lab") {
				continue
			}
			ast.Inspect(f.File, func(n ast.Node) bool {
				if importPath, name := f.selected(n); importPath == "time" && name == "Sleep" {
					t.Errorf("%s: time.Sleep in a test without testing/synctest: poll for what is to happen in a loop with a deadline, or make time virtual", f.at(n))
				}
				_, loop := n.(*ast.ForStmt)
				return !loop
			})
		}
	}
}

func virtual(f file) bool {
	return slices.Contains(f.imports, "testing/synctest")
}

// Every package says in doc.go what a caller can rely on, so that one knows
// where to look.
func TestPackageComments(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.files) == 0 || p.name == "internal/deps" {
			continue
		}
		var documented []string
		for _, f := range p.files {
			if f.Doc != nil && strings.TrimSpace(f.Doc.Text()) != "" {
				documented = append(documented, f.name)
			}
		}
		switch {
		case len(documented) != 1:
			t.Errorf("%s: package comment in %q, want it in one file", p.name, documented)
		case len(p.files) > 2 && !strings.HasSuffix(documented[0], "doc.go"):
			t.Errorf("%s: the package comment is in %s, want it in doc.go", p.name, documented[0])
		}
	}
}
