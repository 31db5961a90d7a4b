package gateway

import (
	"net/url"
	"sort"
	"strings"

	"github.com/shoal-cdn/shoal"
)

// prefix of the paths below which contents are.
const prefix = "/v1/contents/"

// resource is what a path under prefix can name.
type resource int

const (
	aFile resource = iota
	theList
	theTorrent
)

// route is a path under prefix, taken apart.
type route struct {
	id   shoal.ContentID
	what resource
	path string // of a file: slash-separated, as in [shoal.File]
}

// parseRoute reads what follows prefix in a URL's escaped path. Segments are
// unescaped one by one: an escaped slash is no separator, and no file's name has
// one. What is left is only ever compared with the paths in a manifest, so nothing
// in it can lead anywhere else.
func parseRoute(escaped string) (r route, ok bool) {
	name, rest, _ := strings.Cut(escaped, "/")
	id, err := shoal.ParseContentID(name)
	if err != nil {
		return route{}, false
	}
	r.id = id
	switch rest {
	case "torrent":
		r.what = theTorrent
		return r, true
	case "files", "files/":
		r.what = theList
		return r, true
	}
	rest, ok = strings.CutPrefix(rest, "files/")
	if !ok {
		return route{}, false
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		s, err := url.PathUnescape(s)
		if err != nil || strings.Contains(s, "/") {
			return route{}, false
		}
		segments[i] = s
	}
	r.path = strings.Join(segments, "/")
	return r, true
}

// findFile returns the index of the file at a path.
func findFile(m *shoal.Manifest, path string) (index int, ok bool) {
	files := m.Files()
	return sort.Find(len(files), func(i int) int { return comparePaths(path, files[i].Path) })
}

// comparePaths orders as manifests do: by the names' bytes within each folder. A
// slash ends a name, and so comes before whatever could continue it.
func comparePaths(a, b string) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		switch {
		case x == y:
			continue
		case x == '/':
			return -1
		case y == '/':
			return 1
		}
		return int(x) - int(y)
	}
	return len(a) - len(b)
}
