package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/shoal-cdn/shoal"
)

// Digest is a SHA-256; its text form is 64 hexadecimal digits.
type Digest [sha256.Size]byte

// DigestOf is the digest of b.
func DigestOf(b []byte) Digest { return sha256.Sum256(b) }

// MarshalText implements [encoding.TextMarshaler].
func (d Digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(d)) {
		return fmt.Errorf("digest: %w: want 64 hexadecimal digits", shoal.ErrInvalid)
	}
	if _, err := hex.Decode(d[:], b); err != nil {
		return fmt.Errorf("digest: %w: want 64 hexadecimal digits", shoal.ErrInvalid)
	}
	return nil
}

const (
	// ContentDigest is the header field's name (RFC 9530).
	ContentDigest = "Content-Digest"
	// algorithm is the only one that is taken.
	algorithm = "sha-256"
	maxField  = 4 << 10 // bytes of a header field
)

// Field is the value of the Content-Digest header field for a body with the digest d.
func (d Digest) Field() string {
	return algorithm + "=:" + base64.StdEncoding.EncodeToString(d[:]) + ":"
}

// ParseField reads the value of a Content-Digest header field: a dictionary (RFC 9651), of whose members
// sha-256 must be one. The error is of kind [shoal.ErrInvalid].
func ParseField(v string) (Digest, error) {
	bad := func(why string) (Digest, error) {
		return Digest{}, fmt.Errorf("%s: %w: %s", ContentDigest, shoal.ErrInvalid, why)
	}
	switch {
	case v == "":
		return bad("want sha-256=:BASE64:")
	case len(v) > maxField:
		return bad("too long")
	}
	var others []string
	for member := range strings.SplitSeq(v, ",") {
		name, value, _ := strings.Cut(strings.Trim(member, " \t"), "=")
		if name != algorithm {
			others = append(others, strconv.Quote(name))
			continue
		}
		text, ok := strings.CutPrefix(value, ":")
		text, end := strings.CutSuffix(text, ":")
		b, err := base64.StdEncoding.DecodeString(text)
		if !ok || !end || err != nil || len(b) != sha256.Size {
			return bad("want sha-256=:BASE64: of 32 bytes")
		}
		return Digest(b), nil
	}
	return bad("unknown algorithm " + strings.Join(others, ", ") + ": want sha-256")
}

// Path is where uploads are; one of them is below it.
const Path = "/v1/uploads"

// UploadPath is the path of an upload.
func UploadPath(task string) string { return Path + "/" + url.PathEscape(task) }

// ChunksPath is where to PUT count chunks, 1 at least, from first on.
func ChunksPath(task string, first, count int) string {
	p := UploadPath(task) + "/chunks/" + strconv.Itoa(first)
	if count > 1 {
		p += "-" + strconv.Itoa(first+count-1)
	}
	return p
}

// CompletePath is where to POST the end notice.
func CompletePath(task string) string { return UploadPath(task) + "/complete" }
