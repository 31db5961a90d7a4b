package tus

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // what the protocol asks of every server; it finds errors on the way, not attacks
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"net/http"
	"strings"
)

// algorithms are those of the checksum extension.
const algorithms = "sha1,sha256"

// checksum is that of a PATCH request.
type checksum struct {
	hash hash.Hash
	want []byte
}

func (c *checksum) fits() bool { return bytes.Equal(c.hash.Sum(nil), c.want) }

// parseChecksum reads the header field Upload-Checksum; nil where there is none, not ok where
// it cannot be verified.
func parseChecksum(v string) (c *checksum, ok bool) {
	if v == "" {
		return nil, true
	}
	name, text, _ := strings.Cut(v, " ")
	want, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, false
	}
	switch name {
	case "sha1":
		c = &checksum{hash: sha1.New(), want: want} //nolint:gosec // see above
	case "sha256":
		c = &checksum{hash: sha256.New(), want: want}
	default:
		return nil, false
	}
	return c, len(want) == c.hash.Size()
}

type checksumKey struct{}

func withChecksum(r *http.Request, c *checksum) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), checksumKey{}, c))
}

// checksumOf is the checksum of the request that ctx is of; nil for none.
func checksumOf(ctx context.Context) *checksum {
	c, _ := ctx.Value(checksumKey{}).(*checksum)
	return c
}
