package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/shoal-cdn/shoal/swarm/transport"
)

// identity returns the private key in the data folder, which is made once:
// other nodes know this one by it, so a key that is there but cannot be used
// is never replaced.
func identity(data string) ([]byte, error) {
	path := filepath.Join(data, "identity.key")
	key, err := os.ReadFile(path)
	if err == nil {
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the identity key: %w", err)
	}
	if key, err = transport.GenerateKey(); err != nil {
		return nil, fmt.Errorf("make an identity key: %w", err)
	}
	if err := renameio.WriteFile(path, key, 0o600, renameio.WithStaticPermissions(0o600)); err != nil {
		return nil, fmt.Errorf("write the identity key: %w", err)
	}
	return key, nil
}
