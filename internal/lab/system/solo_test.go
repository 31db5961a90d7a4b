//go:build linux

package system

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal/internal/lab"
	napi "github.com/shoal-cdn/shoal/node/api"
	tapi "github.com/shoal-cdn/shoal/tracker/api"
)

// BenchmarkSolo moves one file over loopback to disk and checks it, from node
// to node and, in turn, from nginx over HTTPS to curl and sha256sum:
//
//	go test -run '^$' -bench Solo -benchtime 3x ./internal/lab/system -shoal.size=1GiB
func BenchmarkSolo(b *testing.B) {
	dir := b.TempDir()
	source := filepath.Join(dir, "file.bin")
	randomFile(b, source, fileSize, 6)
	nginx, url := startNginx(b, dir)
	s := newSolo(b, dir)
	content := s.seed(b, source)
	gib := float64(fileSize) / (1 << 30)

	b.Run("shoal", func(b *testing.B) {
		var took, cpu time.Duration
		for i := 0; b.Loop(); i++ {
			name := fmt.Sprintf("copy%d-%d", b.N, i)
			node := s.startNode(b, name)
			before := cpuOf(b, s.origin) // the node's start counts, the origin's hashing does not
			var task tapi.Task
			start := time.Now()
			s.shoal(b, &task, "task", "create", content, "--tracker", s.tracker, "--nodes", name, "--wait", "--json")
			took += time.Since(start)
			cpu += cpuOf(b, s.origin) - before + cpuOf(b, node)
			sameBytes(b, name, source, filepath.Join(dir, name, "files", "file.bin"))
			b.ReportMetric(mib(statsOf(b, node).PeakRSS), "node-peak-MiB")
			stop(b, node)
			must(b, os.RemoveAll(filepath.Join(dir, name)))
		}
		b.ReportMetric(took.Seconds()/float64(b.N), "s/file")
		b.ReportMetric(cpu.Seconds()/gib/float64(b.N), "cpu-s/GiB")
	})
	b.Run("nginx+curl+sha256sum", func(b *testing.B) {
		var took, cpu time.Duration
		for b.Loop() {
			before := cpuOf(b, nginx)
			out := filepath.Join(dir, "curl.bin")
			start := time.Now()
			cmd := exec.Command("sh", "-c", `curl -sk -o "$1" "$2" && sync -d "$1" && sha256sum "$1"`, "sh", out, url)
			output(b, cmd)
			took += time.Since(start)
			cpu += cpuOf(b, nginx) - before + cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			must(b, os.Remove(out))
		}
		b.ReportMetric(took.Seconds()/float64(b.N), "s/file")
		b.ReportMetric(cpu.Seconds()/gib/float64(b.N), "cpu-s/GiB")
	})
}

// solo is a tracker and an origin, on loopback.
type solo struct {
	binary, dir, tracker string
	origin               *exec.Cmd
	originURL            string
}

func newSolo(b *testing.B, dir string) *solo {
	b.Helper()
	bin, err := binary()
	must(b, err)
	s := &solo{binary: bin, dir: dir}
	addr := freeAddr(b)
	s.tracker = "http://" + addr
	s.start(b, s.tracker, "tracker", "--listen", addr, "--data", filepath.Join(dir, "tracker"))
	http := freeAddr(b)
	s.originURL = "http://" + http
	s.origin = s.startNodeAt(b, "origin", http)
	return s
}

// seed has the origin serve a file, and returns the content's ID.
func (s *solo) seed(b *testing.B, path string) string {
	b.Helper()
	var seeded napi.Seeded
	s.shoal(b, &seeded, "seed", path, "--node", s.originURL, "--json")
	return seeded.Content.String()
}

func (s *solo) startNode(b *testing.B, name string) *exec.Cmd {
	return s.startNodeAt(b, name, freeAddr(b))
}

func (s *solo) startNodeAt(b *testing.B, name, http string) *exec.Cmd {
	return s.start(b, "http://"+http, "node", "--tracker", s.tracker, "--data", filepath.Join(s.dir, name), "--name", name,
		"--listen", freeAddr(b), "--http", http, "--gateway", freeAddr(b), "--gateway-tls", freeAddr(b))
}

// start runs a daemon until the benchmark ends, and waits until it is ready.
func (s *solo) start(b *testing.B, url string, args ...string) *exec.Cmd {
	b.Helper()
	cmd := exec.Command(s.binary, args...)
	cmd.Stderr = b.Output()
	must(b, cmd.Start())
	b.Cleanup(func() { stop(b, cmd) })
	ready(b, url+"/readyz")
	return cmd
}

// shoal runs a command and decodes what it prints.
func (s *solo) shoal(b *testing.B, v any, args ...string) {
	b.Helper()
	cmd := exec.Command(s.binary, args...)
	out, err := cmd.Output()
	must(b, err)
	must(b, json.Unmarshal(out, v))
}

func stop(b *testing.B, cmd *exec.Cmd) {
	b.Helper()
	if cmd.ProcessState == nil {
		must(b, cmd.Process.Kill())
		_ = cmd.Wait()
	}
}

func ready(b *testing.B, url string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		must(b, err)
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			b.Fatalf("%s: %v", url, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// cpuOf is the CPU time that a process and its children, as nginx's workers
// are, have used.
func cpuOf(b *testing.B, cmd *exec.Cmd) time.Duration {
	b.Helper()
	cpu := statsOf(b, cmd).CPU
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
	must(b, err)
	for _, pid := range strings.Fields(string(children)) {
		n, err := strconv.Atoi(pid)
		must(b, err)
		stats, err := lab.ReadStats(n)
		must(b, err)
		cpu += stats.CPU
	}
	return cpu
}

func statsOf(b *testing.B, cmd *exec.Cmd) lab.Stats {
	b.Helper()
	stats, err := lab.ReadStats(cmd.Process.Pid)
	must(b, err)
	return stats
}

func freeAddr(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	defer l.Close()
	return l.Addr().String()
}

// startNginx serves a directory over HTTPS and returns the URL of file.bin.
func startNginx(b *testing.B, dir string) (*exec.Cmd, string) {
	b.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		b.Skip("needs nginx and curl")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(b, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(b, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(b, err)
	must(b, os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600))
	must(b, os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	must(b, os.Chmod(dir, 0o755))
	addr := freeAddr(b)
	conf := fmt.Sprintf(`daemon off; user root; pid %[1]s/nginx.pid; error_log %[1]s/error.log;
events {}
http {
  access_log off; sendfile on;
  server {
    listen %[2]s ssl; root %[1]s;
    ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem;
  }
}`, dir, addr)
	must(b, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600))
	cmd := exec.Command(path, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	cmd.Stderr = b.Output()
	must(b, cmd.Start())
	b.Cleanup(func() {
		must(b, cmd.Process.Signal(os.Interrupt))
		_ = cmd.Wait()
	})
	url := "https://" + addr + "/file.bin"
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return cmd, url
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.Fatal("nginx does not answer")
	return nil, ""
}
