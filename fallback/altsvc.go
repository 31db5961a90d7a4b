package fallback

import (
	"strconv"
	"strings"
)

// http3Port is the UDP port at which an answer's Alt-Svc header (RFC 7838)
// offers HTTP/3 on the same host. Offers on other hosts are not taken: they
// would have to be trusted with more than a port.
func http3Port(altSvc string) (port uint16, ok bool) {
	for offer := range strings.SplitSeq(altSvc, ",") {
		offer, _, _ = strings.Cut(offer, ";")
		protocol, authority, _ := strings.Cut(strings.TrimSpace(offer), "=")
		if protocol != "h3" {
			continue
		}
		digits, quoted := strings.CutPrefix(authority, `":`)
		digits, closed := strings.CutSuffix(digits, `"`)
		n, err := strconv.ParseUint(digits, 10, 16)
		if quoted && closed && err == nil && n > 0 {
			return uint16(n), true
		}
	}
	return 0, false
}
