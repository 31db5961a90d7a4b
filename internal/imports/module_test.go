package imports

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	module = "github.com/shoal-cdn/shoal"
	root   = "../.." // the module's folder
)

// pkg is one of the module's packages: its files whatever system they are for.
type pkg struct {
	name  string // its import path inside the module; "." for the root
	files []file // linked into programs
	tests []file
}

// file is a parsed source file.
type file struct {
	*ast.File
	fset    *token.FileSet
	name    string            // inside the module, for messages
	imports []string          // import paths
	uses    map[string]string // the same by the name the file has for each
}

// at is where a node is, for messages.
func (f file) at(n ast.Node) string {
	return f.name + ":" + strconv.Itoa(f.fset.Position(n.Pos()).Line)
}

// packages returns the module's packages, read once.
func packages(t *testing.T) []pkg {
	t.Helper()
	all, err := readModule()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found only %d packages", len(all))
	}
	return all
}

// readModule reads the module. It walks the folders itself rather than ask
// "go list", whose reading the test cache does not see: a cached "ok" would
// outlive the code that it was about.
var readModule = sync.OnceValues(func() (all []pkg, err error) {
	err = filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if base := d.Name(); dir != root && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
			return fs.SkipDir
		}
		rel, err := filepath.Rel(root, dir)
		if err != nil {
			return err
		}
		p := pkg{name: filepath.ToSlash(rel)}
		if err := p.read(dir); err != nil {
			return err
		}
		if len(p.files)+len(p.tests) > 0 {
			all = append(all, p)
		}
		return nil
	})
	return all, err
})

func (p *pkg) read(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, isGo := strings.CutSuffix(e.Name(), ".go")
		if !isGo || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
			continue
		}
		f, err := parse(filepath.Join(dir, e.Name()), path.Join(p.name, e.Name()))
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, "_test") {
			p.tests = append(p.tests, f)
		} else {
			p.files = append(p.files, f)
		}
	}
	return nil
}

func parse(from, name string) (file, error) {
	f := file{fset: token.NewFileSet(), name: name, uses: map[string]string{}}
	var err error
	f.File, err = parser.ParseFile(f.fset, from, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return file{}, err
	}
	for _, spec := range f.Imports {
		importPath, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return file{}, err
		}
		f.imports = append(f.imports, importPath)
		f.uses[localName(spec, importPath)] = importPath
	}
	return f, nil
}

// localName is what a file calls an import. Without a name of its own it is
// the path's last element, a version such as v2 left away: right for the
// packages that the rules here name.
func localName(spec *ast.ImportSpec, importPath string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	base := path.Base(importPath)
	if v, ok := strings.CutPrefix(base, "v"); ok {
		if _, err := strconv.Atoi(v); err == nil {
			base = path.Base(path.Dir(importPath))
		}
	}
	return base
}

// selected resolves x.Name to the import path of package x and the name.
func (f file) selected(n ast.Node) (importPath, name string) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	return f.uses[x.Name], sel.Sel.Name
}

// ours reports whether an import path is in the module, and its path there.
func ours(importPath string) (name string, ok bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// within reports whether a package is the one at prefix or below it. Only the
// root itself is within ".".
func within(name, prefix string) bool {
	return name == prefix || prefix != "." && strings.HasPrefix(name, prefix+"/")
}

func withinAny(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if within(name, p) {
			return true
		}
	}
	return false
}
