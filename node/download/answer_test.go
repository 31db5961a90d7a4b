package download

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/shoal-cdn/shoal"
)

func TestNameOf(t *testing.T) {
	for u, want := range map[string]string{
		"http://h/a/film.bin":                  "film.bin",
		"http://h/film.bin?sig=a/b#":           "film.bin",
		"http://h/film.bin/":                   "",
		"http://h/a%20b.bin":                   "a b.bin",
		"http://h/%E6%97%A5.iso":               "日.iso",
		"http://h/..%2F..%2Fetc%2Fcron":        ".._.._etc_cron",
		"http://h/a%5Cb":                       "a_b",
		"http://h/a%00%0A%1B%5B2J":             "a___[2J",
		"http://h/%FF%FEx":                     "_x",
		"http://h/%2E%2E":                      "",
		"http://h/.":                           "",
		"http://h":                             "",
		"http://h/":                            "",
		"http://h/?file=x":                     "",
		"http://h/" + strings.Repeat("x", 256): "",
	} {
		got, err := NameOf(u)
		if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%s: %q, %v; want %q", u, got, err, want)
		}
	}
}

func FuzzNameOf(f *testing.F) {
	for _, s := range []string{"http://h/a%2Fb", "http://h/%2E%2E/", "http://h/\xff", "::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, u string) {
		name, err := NameOf(u)
		if err != nil {
			if name != "" || !errors.Is(err, shoal.ErrInvalid) {
				t.Errorf("%q, %v", name, err)
			}
			return
		}
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00\n\x1b") || !utf8.ValidString(name) || len(name) > 255 {
			t.Errorf("%q is called %q", u, name)
		}
	})
}

func TestValidatorOf(t *testing.T) {
	const date, minute, second = "Sun, 02 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2000 23:59:00 GMT", "Sat, 01 Jan 2000 23:59:59 GMT"
	for _, c := range []struct{ tag, modified, date, want string }{
		{`"v1"`, minute, date, `"v1"`},
		{`W/"v1"`, minute, date, ""}, // there is a tag, so the time does not count
		{`v1`, "", date, ""},
		{`"`, "", date, ""},
		{"", minute, date, minute},
		{"", second, date, ""},
		{"", minute, "", ""},
		{"", "yesterday", date, ""},
		{"", "", date, ""},
		{`"` + strings.Repeat("x", maxValidator) + `"`, minute, date, ""},
	} {
		h := http.Header{"Etag": {c.tag}, "Last-Modified": {c.modified}, "Date": {c.date}}
		if got := validatorOf(h); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-99/1234", "bytes */0", "bytes 0-0/*", "bytes 5-4/9", "bytes -1-4/9", "bytes 0-9223372036854775807/9223372036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, last, total, err := parseContentRange(s)
		if err != nil {
			if !errors.Is(err, shoal.ErrInvalid) {
				t.Errorf("error %v", err)
			}
			return
		}
		if first < 0 || last < first || total <= last || last-first+1 <= 0 {
			t.Errorf("%q: %d to %d of %d", s, first, last, total)
		}
	})
}

// A redirect may not give up what https promises, nor what the client forbids.
func TestRedirects(t *testing.T) {
	own := errors.New("the client's own reason")
	request := func(u string) *http.Request {
		parsed, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		return &http.Request{URL: parsed, Header: http.Header{"Referer": {"http://h/?secret"}}}
	}
	c := bounded(&http.Client{Timeout: 1, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "no" {
			return own
		}
		return nil
	}})
	if c.Timeout != 0 {
		t.Error("a whole transfer has a time limit")
	}
	for _, tt := range []struct {
		from, to string
		want     error
	}{
		{"http://h/", "https://h/", nil},
		{"https://h/", "https://i/x?y", nil},
		{"https://h/", "http://h/", shoal.ErrInvalid},
		{"http://h/", "ftp://h/", shoal.ErrInvalid},
		{"http://h/", "http://no/", own},
	} {
		r := request(tt.to)
		err := c.CheckRedirect(r, []*http.Request{request(tt.from)})
		if !errors.Is(err, tt.want) || tt.want == shoal.ErrInvalid && !isFinal(err) {
			t.Errorf("%s to %s: %v, want %v", tt.from, tt.to, err, tt.want)
		}
		if err == nil && r.Header.Get("Referer") != "" {
			t.Error("the URL is told to others")
		}
	}
}
