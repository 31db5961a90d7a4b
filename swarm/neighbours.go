package swarm

import (
	"time"

	"github.com/shoal-cdn/shoal"
)

const (
	// enough is how many others a neighbour must have to be let go: it finds two more.
	enough = neighbours - 2
	// silentTime is how long a neighbour may have said nothing of others because it had
	// no time to.
	silentTime = pexFirst + time.Second
)

// letGo ends a connection where this node has more neighbours than it should, since one
// came or said that it has others: the one that is missed least, of those that others opened and
// that have enough neighbours besides us. So nobody is left alone, and none goes that this
// node chose for itself.
func (s *Swarm) letGo(newcomer *conn) {
	if s.finished || !s.roster.limited() {
		return
	}
	now := time.Now()
	id, ok := s.state.Spare(mostNeighbours, func(id shoal.NodeID) bool {
		c := s.conns[id]
		return c != newcomer && !c.stream.Dialled() && c.hasOthers(now)
	})
	if ok {
		s.log.Debug("one neighbour too many", "peer", id)
		s.disconnect(s.conns[id])
	}
}

// hasOthers reports whether a peer has enough neighbours besides us: by its own word, or,
// while it has had no time for one, because it is about to find them.
func (c *conn) hasOthers(now time.Time) bool {
	if !c.told {
		return now.Sub(c.since) < silentTime
	}
	return c.others >= enough
}
