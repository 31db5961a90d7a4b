package shoal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestCheckWebSeed(t *testing.T) {
	for _, u := range []string{
		"http://h/f", "https://h:8443/a/b%20c?X-Signature=a%2Fb&e=1", "HTTPS://h", "http://192.0.2.1:80/", "http://[2001:db8::1]:80/f",
		"http://h/" + strings.Repeat("x", MaxWebSeedLen-9),
	} {
		if err := CheckWebSeed(u); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
	for u, want := range map[string]string{
		"":                       "neither http nor https",
		"h/f":                    "neither http nor https",
		"/f":                     "neither http nor https",
		"//h/f":                  "neither http nor https",
		"ftp://h/f":              "neither http nor https",
		"file:///etc/passwd":     "neither http nor https",
		"http:f":                 "no host",
		"http:///f":              "no host",
		"http://:80/f":           "no host",
		"http://h:99999/":        "no such port",
		"http://h:0/":            "no such port",
		"http://h:x/":            "malformed",
		"http://h/%zz":           "malformed",
		"http://me:pw@h/f":       "it has a user",
		"http://@h/f":            "it has a user",
		"http://h/f#part":        "a fragment",
		"http://h/f#":            "a fragment",
		"http://h/a b":           "a space",
		"http://h/\r\nX: y":      "a space",
		"http://h/ü":             "not ASCII",
		"http://h/\x7f":          "not ASCII",
		"http://h/\xff":          "not ASCII",
		"http://h/\x1b[2J":       "a space",
		strings.Repeat("x", 1e6): "longer than 2048",
	} {
		if err := CheckWebSeed(u); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) || len(err.Error()) > 500 {
			t.Errorf("%q: %v, want ErrInvalid with %q", clip(u), err, want)
		}
	}
}

// webSeeds are n different URLs.
func webSeeds(n int) (urls []string) {
	for i := range n {
		urls = append(urls, fmt.Sprintf("http://h/%d", i))
	}
	return urls
}

func TestWithWebSeeds(t *testing.T) {
	m := manifestOf(t, noise(3*MinPieceLength), MinPieceLength)
	for name, c := range map[string]struct {
		urls []string
		want int // web seeds; -1: ErrInvalid
	}{
		"none":           {nil, 0},
		"one":            {webSeeds(1), 1},
		"one twice":      {append(webSeeds(2), webSeeds(2)...), 2},
		"as many as can": {webSeeds(MaxWebSeeds), MaxWebSeeds},
		"too many":       {webSeeds(MaxWebSeeds + 1), -1},
		"odd":            {append(webSeeds(1), "ftp://h"), -1},
	} {
		t.Run(name, func(t *testing.T) {
			with, err := m.WithWebSeeds(c.urls)
			if c.want < 0 {
				if !errors.Is(err, ErrInvalid) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(with.WebSeeds(), webSeeds(c.want)) || with.ID() != m.ID() || len(m.WebSeeds()) != 0 {
				t.Errorf("web seeds %v of %v; the original, %v, has %v", with.WebSeeds(), with.ID(), m.ID(), m.WebSeeds())
			}
			checkManifest(t, with)
			without, err := with.WithWebSeeds(nil)
			if err != nil || !bytes.Equal(without.Torrent(), m.Torrent()) {
				t.Errorf("taken away again: %v, torrent %q", err, without.Torrent())
			}
		})
	}
}

// BEP 19: a url-list is a list or one string. One that is odd does not make the
// content so: what can be used is, the rest is dropped.
func TestDecodeURLList(t *testing.T) {
	long := "http://h/" + strings.Repeat("x", MaxWebSeedLen)
	many := make([]any, 0, 100)
	for _, u := range webSeeds(100) {
		many = append(many, u)
	}
	odd := slices.Repeat([]any{"odd"}, maxURLListScan)
	for name, c := range map[string]struct {
		list any
		want []string
	}{
		"string":          {"http://h/0", webSeeds(1)},
		"empty string":    {"", nil},
		"list":            {[]any{"http://h/0", "http://h/1"}, webSeeds(2)},
		"empty list":      {[]any{}, nil},
		"twice":           {[]any{"http://h/0", "http://h/0"}, webSeeds(1)},
		"number":          {7, nil},
		"dictionary":      {dict{"http://h/0": "http://h/0"}, nil},
		"odd among good":  {[]any{"\xff\x00", "http://h/0", 7, long, []any{"http://h/9"}, dict{}, "http://u@h/", "http://h/1"}, webSeeds(2)},
		"too many":        {many, webSeeds(MaxWebSeeds)},
		"behind too many": {append(odd, "http://h/0"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := DecodeManifest(twoFiles(t, func(torrent, _, _ dict) { torrent["url-list"] = c.list }))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(m.WebSeeds(), c.want) {
				t.Errorf("web seeds %q, want %q", m.WebSeeds(), c.want)
			}
			checkManifest(t, m)
		})
	}
}

func FuzzCheckWebSeed(f *testing.F) {
	for _, s := range []string{"https://h:8443/a/b%20c?d=e", "http://[::1%25x]/", "http://u@h/#x", "http:/h", "HTTP://h"} {
		f.Add(s)
	}
	m := manifestOf(f, noise(100), MinPieceLength)
	f.Fuzz(func(t *testing.T, s string) {
		if err := CheckWebSeed(s); err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("error %v", err)
			}
			return
		}
		with, err := m.WithWebSeeds([]string{s})
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeManifest(with.Torrent())
		if err != nil || !slices.Equal(again.WebSeeds(), []string{s}) {
			t.Errorf("%q reads as %q, %v", s, again.WebSeeds(), err)
		}
	})
}
