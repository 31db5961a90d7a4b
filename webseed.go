package shoal

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a content's web seeds.
const (
	MaxWebSeeds   = 32   // URLs
	MaxWebSeedLen = 2048 // bytes of each
)

// maxURLListScan bounds how many entries of a torrent's url-list are looked
// at, so that a list of millions of odd ones costs nothing.
const maxURLListScan = 4 * MaxWebSeeds

// WebSeeds lists URLs at which HTTP servers have the content, the first one to
// be preferred (BEP 19); the caller must not change it. At most [MaxWebSeeds],
// each as [CheckWebSeed] wants it. They are not part of what the ID covers:
// anybody can add some, so what they serve counts only once it verifies.
//
// A single file is at the URL itself or, where the URL's path ends with a slash,
// below it at the file's name. The files of a folder are below the URL, at the
// folder's name and their path.
func (m *Manifest) WebSeeds() []string { return m.webSeeds }

// WithWebSeeds returns a copy of m that has the given web seeds and no others;
// one that is there twice counts where it comes first. The ID stays the same.
// What [CheckWebSeed] refuses, and more than [MaxWebSeeds], is [ErrInvalid].
func (m *Manifest) WithWebSeeds(urls []string) (*Manifest, error) {
	var seeds []string
	for _, u := range urls {
		switch err := CheckWebSeed(u); {
		case err != nil:
			return nil, err
		case slices.Contains(seeds, u):
			continue
		case len(seeds) == MaxWebSeeds:
			return nil, fmt.Errorf("%w: more than %d web seeds", ErrInvalid, MaxWebSeeds)
		}
		seeds = append(seeds, u)
	}
	with := *m
	with.webSeeds = seeds
	if err := with.checkTorrentSize(); err != nil {
		return nil, err
	}
	return &with, nil
}

// CheckWebSeed says why u cannot be a web seed: an absolute http or https URL
// in at most [MaxWebSeedLen] bytes of printable ASCII, without user and
// fragment. The error is of kind [ErrInvalid].
func CheckWebSeed(u string) error {
	bad := func(why string) error {
		return fmt.Errorf("web seed %q: %w: %s; want a URL like https://HOST/PATH", clip(u), ErrInvalid, why)
	}
	if len(u) > MaxWebSeedLen {
		return bad(fmt.Sprintf("longer than %d bytes", MaxWebSeedLen))
	}
	if strings.ContainsFunc(u, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return bad("it has a space, or what is not ASCII; encode it with %")
	}
	parsed, err := url.Parse(u)
	switch {
	case err != nil:
		return bad("malformed")
	case parsed.Scheme != "http" && parsed.Scheme != "https":
		return bad("neither http nor https")
	case parsed.Hostname() == "":
		return bad("no host")
	case parsed.User != nil:
		return bad("it has a user, which everybody could read")
	case strings.Contains(u, "#"):
		return bad("it has a fragment")
	}
	if port := parsed.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return bad("no such port")
		}
	}
	return nil
}

// decodeWebSeeds reads the value of a url-list, which is well-formed bencode or
// nil. It takes what it can use and drops the rest: a content is as good as
// before where somebody gave it an odd URL.
func decodeWebSeeds(b []byte) (seeds []string) {
	if len(b) == 0 {
		return nil
	}
	r := &bencodeReader{b: b}
	add := func() error {
		if c, err := r.peek(); err != nil || c < '0' || c > '9' {
			return r.skip()
		}
		s, err := r.str()
		if err == nil && len(s) <= MaxWebSeedLen && len(seeds) < MaxWebSeeds {
			if u := string(s); CheckWebSeed(u) == nil && !slices.Contains(seeds, u) {
				seeds = append(seeds, u)
			}
		}
		return err
	}
	if b[0] != 'l' {
		_ = add() // of a well-formed value nothing fails
		return seeds
	}
	r.pos++
	for range maxURLListScan {
		if done, err := r.leave(); done || err != nil || add() != nil {
			break
		}
	}
	return seeds
}

// appendURLList adds the key and the value of the torrent's url-list.
func (m *Manifest) appendURLList(b []byte) []byte {
	if len(m.webSeeds) == 0 {
		return b
	}
	b = append(b, "8:url-listl"...)
	for _, u := range m.webSeeds {
		b = strconv.AppendInt(b, int64(len(u)), 10)
		b = append(b, ':')
		b = append(b, u...)
	}
	return append(b, 'e')
}

// urlListSize is the length of what appendURLList adds, or a few bytes more.
func (m *Manifest) urlListSize() int {
	n := len("8:url-listle")
	for _, u := range m.webSeeds {
		n += len("2048:") + len(u)
	}
	return n
}
