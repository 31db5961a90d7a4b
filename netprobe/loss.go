package netprobe

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Loss counts the packets that one end sent. The zero value is unknown.
type Loss struct {
	Sent int64
	Lost int64 // at most Sent
}

// Ratio is the share that was lost, 0 to 1; false where it is unknown.
func (l Loss) Ratio() (float64, bool) {
	if l.Sent <= 0 {
		return 0, false
	}
	return float64(l.Lost) / float64(l.Sent), true
}

// since is what came after an earlier count of the same connection, unknown
// where either is, or where they cannot be of the same connection.
func (l Loss) since(earlier Loss) Loss {
	if earlier.Sent <= 0 || l.Sent <= earlier.Sent {
		return Loss{}
	}
	// QUIC takes back losses: a packet may come after it was given up.
	d := Loss{Sent: l.Sent - earlier.Sent, Lost: max(0, l.Lost-earlier.Lost)}
	d.Lost = min(d.Lost, d.Sent)
	return d
}

const packetsHeader = "Probe-Packets"

func (l Loss) setHeader(h http.Header) {
	if l.Sent > 0 {
		h.Set(packetsHeader, fmt.Sprintf("sent=%d, lost=%d", l.Sent, l.Lost))
	}
}

// lossFromHeader is unknown where the header is missing or malformed: it only
// informs, so that a server may leave it out.
func lossFromHeader(h http.Header) Loss {
	sent, lost, _ := strings.Cut(h.Get(packetsHeader), ", ")
	var l Loss
	for _, f := range []struct {
		text, key string
		to        *int64
	}{{sent, "sent=", &l.Sent}, {lost, "lost=", &l.Lost}} {
		digits, ok := strings.CutPrefix(f.text, f.key)
		n, err := strconv.ParseInt(digits, 10, 64)
		if !ok || err != nil || n < 0 {
			return Loss{}
		}
		*f.to = n
	}
	if l.Lost > l.Sent {
		return Loss{}
	}
	return l
}
