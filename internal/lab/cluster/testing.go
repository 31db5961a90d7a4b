//go:build linux

package cluster

import "testing"

// New is [Open] for a test or benchmark: logs go to its artifact directory (go
// test -artifacts keeps it) and, when it fails, their ends are printed. Data
// directories are temporary. All processes are killed when t ends.
func New(t testing.TB, binary string) *Cluster {
	t.Helper()
	c := Open(Config{Binary: binary, Data: t.TempDir(), Logs: t.ArtifactDir()})
	t.Cleanup(func() { // before the directories go: cleanups run last in, first out
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			c.printLogs(t)
		}
	})
	return c
}

func (c *Cluster) printLogs(t testing.TB) {
	t.Helper()
	for _, s := range c.all() {
		tail, err := s.LogTail(tailLines)
		t.Logf("=== end of the log of %s (%s), error %v\n%s", s.Name(), s.LogPath(), err, tail)
	}
}
