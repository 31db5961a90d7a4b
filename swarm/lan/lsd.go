package lan

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Local service discovery (BEP 14).
const (
	lsdPort     = 6771
	lsdInterval = time.Minute     // between messages: "no more than 1 announce per minute"
	lsdPeriod   = 5 * time.Minute // between announces of one content
	lsdMax      = 1400            // bytes of a message
	lsdContents = 20              // contents in a message; more would not fit
	lsdHeaders  = 64              // lines of a message that are looked at
	lsdCookie   = 64              // bytes
)

var (
	lsdGroup4 = netip.MustParseAddr("239.192.152.143")
	lsdGroup6 = netip.MustParseAddr("ff15::efc0:988f")
)

const lsdRequest = "BT-SEARCH * HTTP/1.1\r\n"

// lsdAnnounce is a message of BEP 14.
type lsdAnnounce struct {
	port     uint16
	contents [][20]byte // info hashes; those of v2 truncated (BEP 52)
	cookie   string     // tells the sender its own messages; may be empty
}

// append adds the message as it is sent to a group.
func (a lsdAnnounce) append(b []byte, group netip.Addr) []byte {
	b = append(b, lsdRequest...)
	b = fmt.Appendf(b, "Host: %v\r\nPort: %d\r\n", netip.AddrPortFrom(group, lsdPort), a.port)
	for _, id := range a.contents {
		b = fmt.Appendf(b, "Infohash: %x\r\n", id)
	}
	return fmt.Appendf(b, "cookie: %s\r\n\r\n\r\n", a.cookie)
}

// decodeLSD reads a message. Headers that it does not know it skips; the error is
// of kind [shoal.ErrCorrupt].
func decodeLSD(b []byte) (lsdAnnounce, error) {
	bad := func(why string) (lsdAnnounce, error) {
		return lsdAnnounce{}, fmt.Errorf("local service discovery: %w: %s", shoal.ErrCorrupt, why)
	}
	rest, ok := bytes.CutPrefix(b, []byte(lsdRequest))
	if !ok || len(b) > lsdMax {
		return bad("no announce")
	}
	var a lsdAnnounce
	lines := 0
	for line := range strings.SplitSeq(string(rest), "\r\n") {
		if lines++; line == "" || lines > lsdHeaders {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "port":
			n, err := strconv.ParseUint(value, 10, 16)
			if err != nil || n == 0 {
				return bad("port")
			}
			a.port = uint16(n)
		case "infohash":
			var id [20]byte
			if len(value) != 2*len(id) {
				return bad("infohash")
			}
			if _, err := hex.Decode(id[:], []byte(value)); err != nil {
				return bad("infohash")
			}
			a.contents = append(a.contents, id)
		case "cookie":
			if len(value) > lsdCookie {
				return bad("cookie")
			}
			a.cookie = value
		}
	}
	if a.port == 0 || len(a.contents) == 0 {
		return bad("no port or no infohash")
	}
	return a, nil
}

// lsdSchedule says which contents to announce when.
type lsdSchedule map[shoal.ContentID]time.Time // when each was announced

// next chooses the contents for the message that is sent now, those that have
// waited longest first.
func (s lsdSchedule) next(now time.Time, held []shoal.ContentID) []shoal.ContentID {
	for id := range s {
		if now.Sub(s[id]) >= 2*lsdPeriod {
			delete(s, id) // not held any more
		}
	}
	due := slices.DeleteFunc(slices.Clone(held), func(id shoal.ContentID) bool {
		last, ok := s[id]
		return ok && now.Sub(last) < lsdPeriod
	})
	slices.SortStableFunc(due, func(a, b shoal.ContentID) int { return s[a].Compare(s[b]) })
	due = due[:min(len(due), lsdContents)]
	for _, id := range due {
		s[id] = now
	}
	return due
}
