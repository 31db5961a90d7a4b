package dht

import (
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/shoal-cdn/shoal"
)

// keyOf is a content's key: its ID is a SHA-256 already.
func keyOf(id shoal.ContentID) (cid.Cid, error) {
	hash, err := multihash.Encode(id[:], multihash.SHA2_256)
	if err != nil {
		return cid.Undef, fmt.Errorf("key of content %s: %w", id.Short(), err)
	}
	return cid.NewCidV1(cid.Raw, hash), nil
}

// isKey reports whether a record's key can be a content's.
func isKey(key []byte) bool {
	hash, err := multihash.Decode(key)
	return err == nil && hash.Code == multihash.SHA2_256 && hash.Length == len(shoal.ContentID{})
}
