package shoal

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestContentID(t *testing.T) {
	text := "00" + strings.Repeat("9f", 31)
	id, err := ParseContentID(text)
	if err != nil {
		t.Fatal(err)
	}
	if id.String() != text || id.Short() != text[:12] || id.IsZero() || id.Truncated() != [20]byte(id[:20]) {
		t.Errorf("%s: %s, %s, %x", text, id, id.Short(), id.Truncated())
	}
	// As key and value in JSON, as tracker/api uses it.
	b, err := json.Marshal(map[ContentID]ContentID{id: id})
	if err != nil || string(b) != `{"`+text+`":"`+text+`"}` {
		t.Errorf("JSON %s, %v", b, err)
	}
	var back map[ContentID]ContentID
	if err := json.Unmarshal(b, &back); err != nil || back[id] != id {
		t.Errorf("%v, %v", back, err)
	}
	for _, bad := range []string{"", text[1:], text + "0", "g" + text[1:], strings.Repeat("x", 1<<20)} {
		if _, err := ParseContentID(bad); !errors.Is(err, ErrInvalid) || len(err.Error()) > 200 {
			t.Errorf("%.80q: error %.300v", bad, err)
		}
		before := id
		if err := id.UnmarshalText([]byte(bad)); err == nil || id != before {
			t.Errorf("%.80q: the ID changed", bad)
		}
	}
}

func TestParseNodeID(t *testing.T) {
	for s, ok := range map[string]bool{
		"12D3KooWGRUBuDTpbKmkvJUDnmdUcSfbFEBkkhuhbnUUXPAJDT5p":              true,
		"bafzaajaiaejcal72gwuz2or47oyxxn6b3rkwdmmkrxgkjxzy3rqt5kczyn7lcm3l": true,
		"":                       false,
		"../etc":                 false,
		"a b":                    false,
		"é":                      false,
		strings.Repeat("a", 129): false,
		"12D3KooW\n":             false,
	} {
		id, err := ParseNodeID(s)
		if ok && (err != nil || string(id) != s || !strings.HasSuffix(s, id.Short())) {
			t.Errorf("%q: %q, %v", s, id, err)
		}
		if !ok && !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: error %v", s, err)
		}
	}
	if got := NodeID("abc").Short(); got != "abc" {
		t.Errorf("short ID %q", got)
	}
}
