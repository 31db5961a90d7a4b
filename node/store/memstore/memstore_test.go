package memstore_test

import (
	"testing"

	"github.com/shoal-cdn/shoal/node/store"
	"github.com/shoal-cdn/shoal/node/store/memstore"
	"github.com/shoal-cdn/shoal/node/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return memstore.New() })
}
