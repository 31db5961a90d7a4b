package download

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/shoal-cdn/shoal"
)

// NameOf is the name for the file at rawURL: the last part of the URL's path,
// decoded; what no name can have in it is replaced by "_". Where nothing is
// left to call it by the error is of kind [shoal.ErrInvalid].
func NameOf(rawURL string) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", fmt.Errorf("name: %w: malformed URL", shoal.ErrInvalid)
	}
	escaped := u.EscapedPath()
	name, err := url.PathUnescape(escaped[strings.LastIndexByte(escaped, '/')+1:])
	if err == nil {
		name = strings.Map(func(r rune) rune {
			if r == '/' || r == '\\' || unicode.IsControl(r) || r == unicode.ReplacementChar {
				return '_'
			}
			return r
		}, strings.ToValidUTF8(name, "_"))
		_, err = shoal.NewFileHasher(name)
	}
	if err != nil {
		return "", fmt.Errorf("the URL's path has no name for the file in it: %w: give it one", shoal.ErrInvalid)
	}
	return name, nil
}
