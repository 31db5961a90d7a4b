package shoal

import (
	"encoding/hex"
	"fmt"
	"log/slog"
)

// ContentID names a content: the SHA-256 of its bencoded info dictionary
// (BEP 52 "infohash"). Its text form is 64 lower-case hexadecimal digits.
type ContentID [32]byte

// ParseContentID reads the text form of a ContentID.
// The error is of kind [ErrInvalid].
func ParseContentID(s string) (ContentID, error) {
	var id ContentID
	if len(s) != hex.EncodedLen(len(id)) {
		return id, fmt.Errorf("content ID %q: %w: want 64 hexadecimal digits", clip(s), ErrInvalid)
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ContentID{}, fmt.Errorf("content ID %q: %w: want 64 hexadecimal digits", clip(s), ErrInvalid)
	}
	return id, nil
}

func (id ContentID) String() string { return hex.EncodeToString(id[:]) }

// Short is the first 12 digits: enough for a person, not for a program.
func (id ContentID) Short() string { return hex.EncodeToString(id[:6]) }

// Truncated is the 20-byte form used where BEP 52 keeps BEP 3's field width:
// the peer handshake.
func (id ContentID) Truncated() [20]byte { return [20]byte(id[:20]) }

func (id ContentID) IsZero() bool { return id == ContentID{} }

// MarshalText implements [encoding.TextMarshaler].
func (id ContentID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (id *ContentID) UnmarshalText(b []byte) error {
	v, err := ParseContentID(string(b))
	if err == nil {
		*id = v
	}
	return err
}

// LogValue implements [slog.LogValuer].
func (id ContentID) LogValue() slog.Value { return slog.StringValue(id.Short()) }

// maxNodeIDLen bounds the text form of a libp2p peer ID (the longest in use,
// an RSA key's CIDv1, has 62 characters).
const maxNodeIDLen = 128

// NodeID names a node for good: the text form of its libp2p peer ID, which is
// derived from its public key.
type NodeID string

// ParseNodeID checks that s can be a peer ID's text form: base58 or base32
// characters only and not too long. The error is of kind [ErrInvalid].
func ParseNodeID(s string) (NodeID, error) {
	if s == "" || len(s) > maxNodeIDLen {
		return "", fmt.Errorf("node ID %q: %w: want 1 to %d characters", clip(s), ErrInvalid, maxNodeIDLen)
	}
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return "", fmt.Errorf("node ID %q: %w: unexpected character %q", clip(s), ErrInvalid, r)
		}
	}
	return NodeID(s), nil
}

// Short is the last 8 characters: the first ones are alike for all nodes.
func (id NodeID) Short() string {
	if len(id) <= 8 {
		return string(id)
	}
	return string(id[len(id)-8:])
}

// LogValue implements [slog.LogValuer].
func (id NodeID) LogValue() slog.Value { return slog.StringValue(id.Short()) }

// clip keeps hostile input from filling an error message.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
