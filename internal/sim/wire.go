package sim

// Bytes on the line. A full Ethernet frame of 1514 bytes carries 1448 of a TCP
// stream: 14 of Ethernet, 20 of IP and 32 of TCP with timestamps are headers.
const (
	frame   = 1514
	segment = 1448
	headers = frame - segment

	// What a write costs besides its payload: yamux puts 12 bytes before it, TLS
	// 22 around each record of up to 16 KiB.
	yamuxHeader = 12
	tlsRecord   = 22
	maxRecord   = 16 << 10

	// Messages of the wire protocol (BEP 3, 6 and 10), length prefix included.
	haveBytes     = 9
	requestBytes  = 17 // also of a cancel and a reject
	queuedBytes   = 6
	bitfieldBytes = 5  // and a bit a piece
	blockBytes    = 13 // and the block
)

// dataOnLine is what n bytes of payload take where headers are all that counts.
func dataOnLine(n int) int { return int(int64(n) * frame / segment) }

// onLine is what a write of n bytes takes with everything around it.
func onLine(n int) int {
	records := (n + maxRecord - 1) / maxRecord
	n += records * (yamuxHeader + tlsRecord)
	segments := (n + segment - 1) / segment
	return n + segments*headers
}

// acksOnLine is what TCP's acknowledgements of so many bytes on the line take
// on the way back: one for two segments (RFC 1122).
func acksOnLine(bytes int) int { return bytes / (2 * frame) * headers }
