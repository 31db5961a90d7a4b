package sockopt

import (
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Accepted connections end as their listener was told, and tell what the kernel holds of them.
func TestSilence(t *testing.T) {
	c := listen(t, func(raw syscall.RawConn) {
		if err := BoundSilence(raw, time.Minute); err != nil {
			t.Error(err)
		}
	})
	if got := option(t, c, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); got != 60_000 {
		t.Errorf("ends after %d ms", got)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	held := func() int {
		n, err := Unacknowledged(raw)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := held(); n != 0 {
		t.Errorf("%d bytes before any", n)
	}
	buf := make([]byte, 1<<20)
	for sent := 0; held() == 0; sent += len(buf) {
		if sent > 1<<30 {
			t.Fatal("0 bytes of what nobody reads")
		}
		_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = c.Write(buf)
	}
}
