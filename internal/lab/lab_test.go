//go:build linux

package lab_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/lab"
)

const mbit = shoal.Rate(1e6 / 8)

// pair is a lab of one carrier and two hosts with these rates each way.
func pair(t *testing.T, rate shoal.Rate) (a, b *lab.Host) {
	t.Helper()
	l := lab.Start(t)
	c := add(t, l, "isp")
	return addHost(t, l, "a", lab.HostConfig{Carrier: c, Up: rate, Down: rate}),
		addHost(t, l, "b", lab.HostConfig{Carrier: c, Up: rate, Down: rate})
}

func add(t *testing.T, l *lab.Lab, name string) *lab.Carrier {
	t.Helper()
	c, err := l.AddCarrier(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func addHost(t *testing.T, l *lab.Lab, name string, cfg lab.HostConfig) *lab.Host {
	t.Helper()
	h, err := l.AddHost(name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func counters(t *testing.T, h *lab.Host) lab.Counters {
	t.Helper()
	c, err := h.Counters()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// transfer moves size bytes over one TCP connection and returns how long that took,
// from before the first was sent: a busy machine may be late to look at what has come.
func transfer(t *testing.T, from, to *lab.Host, size int64) time.Duration {
	t.Helper()
	ln, err := from.Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	sent := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err == nil {
			_, err = io.CopyN(conn, zeros{}, size)
			err = errors.Join(err, conn.Close())
		}
		sent <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := time.Now()
	conn, err := to.DialContext(ctx, "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(start.Add(2 * time.Minute))
	n, err := io.Copy(io.Discard, conn)
	took := time.Since(start)
	if err := errors.Join(err, <-sent); err != nil || n != size {
		t.Fatalf("received %d of %d bytes, error %v", n, size, err)
	}
	return took
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Rates hold and counters count what is on the wire: M3 and B2 are measured by them.
func TestTransferAtRate(t *testing.T) {
	const size = 4 << 20
	for _, tt := range []struct {
		name     string
		up, down shoal.Rate // of the sender, of the receiver
	}{
		{"uplink is the bottleneck", 20 * mbit, 0},
		{"downlink is the bottleneck", 0, 20 * mbit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := lab.Start(t)
			c := add(t, l, "isp")
			from := addHost(t, l, "from", lab.HostConfig{Carrier: c, Up: tt.up})
			to := addHost(t, l, "to", lab.HostConfig{Carrier: c, Down: tt.down})
			// What is on the wire is known at the link that has a limit.
			passed := func() (bytes, packets int64) {
				if tt.up != 0 {
					c := counters(t, from)
					return c.SentBytes, c.SentPackets
				}
				c := counters(t, to)
				return c.ReceivedBytes, c.ReceivedPackets
			}
			bytesBefore, packetsBefore := passed()
			took := transfer(t, from, to, size)
			bytes, packets := passed()
			bytes, packets = bytes-bytesBefore, packets-packetsBefore

			// 14 Ethernet + 20 IP + 32 TCP with time stamps a segment of at most 1448.
			segments := int64(size+1447) / 1448
			wire := size + segments*66
			// The bucket may have let its burst through at once.
			const burst = 32<<10 + 4*1514
			if least := time.Duration(float64(wire-burst) / float64(20*mbit) * float64(time.Second)); took < least {
				t.Errorf("took %v, but the link needs %v", took, least)
			}
			if bytes < wire || bytes > wire*11/10 {
				t.Errorf("counted %d bytes, want %d and at most a tenth more", bytes, wire)
			}
			if packets < segments {
				t.Errorf("counted %d packets, want at least %d", packets, segments)
			}
			t.Logf("%.2f Mbit/s of payload, %.2f Mbit/s on the wire",
				size*8/took.Seconds()/1e6, float64(bytes)*8/took.Seconds()/1e6)
		})
	}
}

func TestHTTPClientReachesInside(t *testing.T) {
	a, b := pair(t, 0)
	ln, err := a.Listen(t.Context(), 8080)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.RemoteAddr)
	})}
	go srv.Serve(ln)
	defer srv.Close()
	resp, err := b.HTTPClient().Get("http://" + a.AddrPort(8080).String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if peer, _, _ := net.SplitHostPort(string(body)); peer != b.Addr().String() {
		t.Errorf("the server saw %q, want host b at %v", body, b.Addr())
	}
	if _, err := a.DialContext(t.Context(), "tcp", "localhost:80"); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("dialling a name: error %v, want kind invalid", err)
	}
}

func TestCommandRunsInsideAndDiesWithItsContext(t *testing.T) {
	a, _ := pair(t, 0)
	out, err := a.Command(t.Context(), "ip", "-4", "-o", "addr", "show", "eth0").Output()
	if err != nil || !strings.Contains(string(out), a.Addr().String()+"/24") {
		t.Errorf("ip addr says %q, error %v", out, err)
	}
	if err := a.Command(t.Context(), "no-such-program").Run(); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("a missing program: error %v, want exec.ErrNotFound", err)
	}

	// The shell's child has the output open, so that Wait ends only if it is killed too.
	ctx, cancel := context.WithCancel(t.Context())
	cmd := a.Command(ctx, "sh", "-c", "sleep 60 & echo started; wait")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, stdout); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("a killed command reports success")
	}
}

func TestProcess(t *testing.T) {
	a, _ := pair(t, 0)
	log := filepath.Join(t.TempDir(), "p.log")
	p, err := a.Start(lab.ProcessConfig{
		Name:    "stand-in",
		Command: []string{"sh", "-c", `echo "hello $NAME"; exec sleep 60`},
		Env:     []string{"NAME=lab"},
		Log:     log,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Restart(); !errors.Is(err, shoal.ErrConflict) {
		t.Errorf("restart while it runs: error %v, want kind conflict", err)
	}
	waitForLog(t, p, "hello lab")
	first := p.PID()
	if s, err := p.Stats(); err != nil || s.RSS <= 0 || s.PeakRSS < s.RSS {
		t.Errorf("stats %+v, error %v", s, err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("after kill -9: %v", err)
	}
	if s, err := p.Stats(); err != nil || s.PeakRSS <= 0 {
		t.Errorf("stats after the end %+v, error %v", s, err)
	}
	if err := p.Restart(); err != nil {
		t.Fatal(err)
	}
	if p.PID() == first {
		t.Error("restarted under the same PID")
	}
	waitForLog(t, p, "hello lab\nhello lab")
	if err := p.Stop(t.Context()); err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("after SIGTERM: %v", err)
	}
}

// waitForLog waits until the process has written this.
func waitForLog(t *testing.T, p *lab.Process, want string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		got, err := p.LogTail(100)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("log is %q, want %q in it", got, want)
		}
	}
}

func TestStats(t *testing.T) {
	s, err := lab.ReadStats(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if s.RSS < 1<<20 || s.PeakRSS < s.RSS {
		t.Errorf("of this process: %+v", s)
	}
	if _, err := lab.ReadStats(1 << 30); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of no process: error %v, want not exist", err)
	}
}

func TestAddRefuses(t *testing.T) {
	l, other := lab.Start(t), lab.Start(t)
	c, foreign := add(t, l, "isp"), add(t, other, "isp")
	for _, tt := range []struct {
		name string
		cfg  lab.HostConfig
		kind error
	}{
		{"isp", lab.HostConfig{Carrier: c}, shoal.ErrConflict},
		{"", lab.HostConfig{Carrier: c}, shoal.ErrInvalid},
		{"../x", lab.HostConfig{Carrier: c}, shoal.ErrInvalid},
		{"Host", lab.HostConfig{Carrier: c}, shoal.ErrInvalid},
		{"h", lab.HostConfig{}, shoal.ErrInvalid},
		{"h", lab.HostConfig{Carrier: foreign}, shoal.ErrInvalid},
		{"h", lab.HostConfig{Carrier: c, Up: -1}, shoal.ErrInvalid},
	} {
		if _, err := l.AddHost(tt.name, tt.cfg); !errors.Is(err, tt.kind) {
			t.Errorf("AddHost(%q, %+v): error %v, want kind %v", tt.name, tt.cfg, err, tt.kind)
		}
	}
}

func TestSetRates(t *testing.T) {
	a, b := pair(t, 20*mbit)
	rates := func() string {
		t.Helper()
		out, err := a.Command(t.Context(), "tc", "qdisc", "show", "dev", "eth0").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for _, tt := range []struct {
		up   shoal.Rate
		want string
	}{{5 * mbit, "rate 5Mbit"}, {40 * mbit, "rate 40Mbit"}, {0, "noqueue"}, {20 * mbit, "rate 20Mbit"}} {
		if err := a.SetRates(tt.up, 20*mbit); err != nil {
			t.Fatal(err)
		}
		if got := rates(); !strings.Contains(got, tt.want) {
			t.Errorf("up %v: %q, want %q in it", tt.up, got, tt.want)
		}
	}
	if err := b.SetRates(-1, 0); !errors.Is(err, shoal.ErrInvalid) {
		t.Errorf("a negative rate: error %v, want kind invalid", err)
	}
}
