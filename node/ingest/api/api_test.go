package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// RFC 9530 §2: Content-Digest is a dictionary of algorithms and byte sequences.
func TestParseField(t *testing.T) {
	d := DigestOf([]byte("x"))
	for v, ok := range map[string]bool{
		d.Field():                              true,
		"sha-512=:AAAA:, " + d.Field():         true,
		d.Field() + ",unixsum=1":               true,
		"":                                     false,
		"sha-256":                              false,
		"sha-256=AAAA":                         false,
		"sha-256=:AAAA:":                       false,
		"sha-512=:AAAA:":                       false,
		"md5=:AAAA:":                           false,
		strings.ReplaceAll(d.Field(), "=", ""): false,
		strings.Repeat("a,", 5000) + d.Field(): false,
	} {
		got, err := ParseField(v)
		switch {
		case ok && (err != nil || got != d):
			t.Errorf("%q: %v", v, err)
		case !ok && !errors.Is(err, shoal.ErrInvalid):
			t.Errorf("%q: %v, want it refused", v, err)
		}
	}
}

func TestRunJSON(t *testing.T) {
	b, err := json.Marshal([]Run{{3, 4}})
	if err != nil || string(b) != "[[3,4]]" {
		t.Errorf("%s: %v", b, err)
	}
	for text, ok := range map[string]bool{"[[3,4]]": true, "[[3]]": false, "[[3,4,5]]": false, "[[-1,4]]": false, "[3]": false} {
		var runs []Run
		if err := json.Unmarshal([]byte(text), &runs); ok != (err == nil) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A problem keeps what has to be sent again on its way.
func TestProblem(t *testing.T) {
	p := ProblemOf(shoal.ErrCorrupt)
	p.Refused, p.Missing, p.Next = []Run{{1, 2}}, []Run{{3, 1}}, 3
	w := httptest.NewRecorder()
	p.Write(w)
	got := ReadProblem(w.Result())
	if !errors.Is(got, shoal.ErrCorrupt) || got.Status != http.StatusUnprocessableEntity || got.Next != 3 ||
		!slices.Equal(got.Refused, p.Refused) || !slices.Equal(got.Missing, p.Missing) {
		t.Errorf("%+v", got)
	}
}

func TestPaths(t *testing.T) {
	for got, want := range map[string]string{
		ChunksPath("t", 3, 1): "/v1/uploads/t/chunks/3",
		ChunksPath("t", 3, 4): "/v1/uploads/t/chunks/3-6",
		CompletePath("t"):     "/v1/uploads/t/complete",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func FuzzParseField(f *testing.F) {
	f.Add("sha-256=:AAAA:")
	f.Add(DigestOf(nil).Field())
	f.Fuzz(func(t *testing.T, v string) {
		d, err := ParseField(v)
		if err == nil {
			if again, err := ParseField(d.Field()); err != nil || again != d {
				t.Errorf("%q: %v", v, err)
			}
		}
	})
}
