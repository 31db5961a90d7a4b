// Package nodecert has TLS certificates by which a node proves its ID.
//
// A node ID is a libp2p peer ID, and that of an Ed25519 key contains the public
// key. So a certificate for that key needs no authority: who knows the ID knows
// the key, and the handshake proves that the other side has its private part. Names
// and dates in such a certificate say nothing, and nothing looks at them.
package nodecert
