package where

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoal-cdn/shoal"
)

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var inNorth = netip.MustParseAddr("198.18.1.1")

// M4: labels, then the table, then databases; each part from the first that knows it.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{
		Places: write(t, filepath.Join(dir, "places.csv"), []byte("198.18.1.0/24,,,dc1\n198.18.2.0/24,AS7,south")),
		GeoIP:  []string{write(t, filepath.Join(dir, "asn.mmdb"), asns), write(t, filepath.Join(dir, "city.mmdb"), cities)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		labels     shoal.Locality
		addr, want string
	}{
		{shoal.Locality{}, "198.18.1.1", "{AS4134 CN-GD dc1} geoip geoip places; labels -; places used 198.18.1.0/24; geoip used 198.18.0.0/16; geoip used 198.18.1.0/24"},
		{shoal.Locality{}, "198.18.2.1", "{AS7 south } places places ; labels -; places used 198.18.2.0/24; geoip - 198.18.0.0/16; geoip - 198.18.2.0/24"},
		{shoal.Locality{Carrier: "AS9", Site: "mine"}, "198.18.1.1", "{AS9 CN-GD mine} labels geoip labels; labels used; places - 198.18.1.0/24; geoip - 198.18.0.0/16; geoip used 198.18.1.0/24"},
		{shoal.Locality{}, "10.0.0.1", "{  }   ; labels -; places -; geoip -; geoip -"},
	} {
		addr := netip.MustParseAddr(tt.addr)
		a := s.Explain(tt.labels, addr)
		text := fmt.Sprintf("%v %s %s %s", a.Locality, a.By.Carrier, a.By.Region, a.By.Site)
		for _, st := range a.Steps {
			text += "; " + string(st.Source)
			if st.Used {
				text += " used"
			} else {
				text += " -"
			}
			if st.Prefix.IsValid() {
				text += " " + st.Prefix.String()
			}
		}
		if text != tt.want {
			t.Errorf("%s:\n%s, want\n%s", tt.addr, text, tt.want)
		}
		if l := s.Locate(tt.labels, addr); l != a.Locality {
			t.Errorf("%s: located at %v, explained as %v", tt.addr, l, a.Locality)
		}
	}
	if l := new(Sources).Locate(shoal.Locality{Site: "s"}, netip.Addr{}); l.Site != "s" {
		t.Errorf("without files: %v", l)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	broken := write(t, filepath.Join(dir, "places.yaml"), []byte("- prefix: 10.0.0.1/8\n  site: s\n"))
	odd := write(t, filepath.Join(dir, "places.txt"), nil)
	for _, tt := range []struct {
		cfg  Config
		kind error
		want string
	}{
		{Config{Places: broken}, shoal.ErrInvalid, "places.yaml: invalid: line 1: prefix 10.0.0.1/8 has bits"},
		{Config{Places: odd}, shoal.ErrInvalid, "ends in .csv, .yaml or .yml"},
		{Config{Places: dir + "/none.csv"}, fs.ErrNotExist, "load " + dir + "/none.csv: no such file"},
		{Config{GeoIP: []string{dir}}, shoal.ErrInvalid, "no regular file"},
		{Config{GeoIP: []string{odd}}, shoal.ErrInvalid, "no MaxMind DB"},
	} {
		if s, err := Open(tt.cfg); s != nil || !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt.cfg, err)
		}
	}
}

// A file that changed is loaded by itself once it stays as it is, a broken one
// is reported and the one before stays, and a signal loads at once.
func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "places.csv")
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		write(t, path, []byte("198.18.0.0/16,AS1"))
		s, err := Open(Config{Places: path, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		signals := make(chan os.Signal)
		go s.Watch(t.Context(), signals)
		// Files have the times of the machine, so that each has its own here.
		change := func(age time.Duration, text string) {
			t.Helper()
			write(t, path, []byte(text))
			at := time.Now().Add(-age)
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(carrier, problem string) {
			t.Helper()
			synctest.Wait()
			a := s.Explain(shoal.Locality{}, inNorth)
			if got := a.Steps[1].Problem; a.Carrier != carrier || (problem == "") != (got == "") || !strings.Contains(got, problem) {
				t.Errorf("carrier %q, problem %q, want %q, %q", a.Carrier, got, carrier, problem)
			}
		}
		change(time.Hour, "198.18.0.0/16,AS2")
		expect("AS1", "")
		time.Sleep(lookEvery + 1)
		expect("AS1", "") // it may be in the middle of being written
		time.Sleep(lookEvery)
		expect("AS2", "")

		change(2*time.Hour, "198.18.0.0/16,AS3\nx,AS4")
		time.Sleep(5 * lookEvery)
		expect("AS2", "line 2")
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
			t.Errorf("a broken file was reported %d times:\n%s", n, &log)
		}
		change(3*time.Hour, "198.18.0.0/16,AS5")
		signals <- os.Interrupt
		expect("AS5", "")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * lookEvery)
		expect("AS5", "no such file")
		change(4*time.Hour, "198.18.0.0/16,AS6")
		time.Sleep(2 * lookEvery)
		expect("AS6", "")
		// A rename over it, as editors and deployment do.
		write(t, path+".new", []byte("198.18.0.0/16,AS7"))
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * lookEvery)
		expect("AS7", "")
	})
}
