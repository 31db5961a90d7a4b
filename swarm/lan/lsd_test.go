package lan

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
)

func TestLSDMessage(t *testing.T) {
	a := lsdAnnounce{port: 7071, contents: [][20]byte{{1}, {2}}, cookie: "me"}
	b := a.append(nil, lsdGroup4)
	want := "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 7071\r\n" +
		"Infohash: 01" + strings.Repeat("0", 38) + "\r\nInfohash: 02" + strings.Repeat("0", 38) + "\r\ncookie: me\r\n\r\n\r\n"
	if string(b) != want {
		t.Errorf("%q, want %q", b, want)
	}
	if got, err := decodeLSD(b); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("%+v, %v", got, err)
	}
	if !strings.Contains(string(a.append(nil, lsdGroup6)), "\r\nHost: [ff15::efc0:988f]:6771\r\n") {
		t.Error("the host of the IPv6 group")
	}
	a.contents, a.cookie = make([][20]byte, lsdContents), strings.Repeat("x", lsdCookie)
	if n := len(a.append(nil, lsdGroup6)); n > lsdMax {
		t.Errorf("the longest message has %d bytes", n)
	}
}

func TestLSDDecode(t *testing.T) {
	id := strings.Repeat("aB", 20)
	for name, tt := range map[string]struct {
		in string
		ok bool
	}{
		"another client's":  {"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: " + id + "\r\nX-Other: 1\r\n\r\n\r\n", true},
		"any case":          {"BT-SEARCH * HTTP/1.1\r\nPORT:6881\r\ninfohash:" + id + "\r\n\r\n", true},
		"without an end":    {"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: " + id, true},
		"another request":   {"M-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: " + id + "\r\n\r\n", false},
		"port 0":            {"BT-SEARCH * HTTP/1.1\r\nPort: 0\r\nInfohash: " + id + "\r\n\r\n", false},
		"port out of range": {"BT-SEARCH * HTTP/1.1\r\nPort: 65536\r\nInfohash: " + id + "\r\n\r\n", false},
		"no port":           {"BT-SEARCH * HTTP/1.1\r\nInfohash: " + id + "\r\n\r\n", false},
		"no infohash":       {"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n\r\n", false},
		"short infohash":    {"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: " + id[1:] + "\r\n\r\n", false},
		"not hexadecimal":   {"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: x" + id[1:] + "\r\n\r\n", false},
		"long cookie":       {"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: " + id + "\r\ncookie: " + id + id + "\r\n\r\n", false},
		"after the end":     {"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n\r\nInfohash: " + id + "\r\n", false},
		"too long":          {"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: " + id + "\r\n" + strings.Repeat("x: y\r\n", 300), false},
		"nothing":           {"", false},
	} {
		if a, err := decodeLSD([]byte(tt.in)); err == nil != tt.ok || err != nil && !errors.Is(err, shoal.ErrCorrupt) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// BEP 14: a message a minute at most, each content once in five minutes.
func TestLSDSchedule(t *testing.T) {
	s := make(lsdSchedule)
	var held []shoal.ContentID
	for i := range 2*lsdContents + 3 {
		held = append(held, shoal.ContentID{byte(i)})
	}
	var sizes []int
	count := map[shoal.ContentID]int{}
	for minute := range 10 {
		ids := s.next(testNow.Add(time.Duration(minute)*lsdInterval), held)
		sizes = append(sizes, len(ids))
		for _, id := range ids {
			count[id]++
		}
	}
	if want := []int{20, 20, 3, 0, 0, 20, 20, 3, 0, 0}; !reflect.DeepEqual(sizes, want) {
		t.Errorf("contents a message: %v, want %v", sizes, want)
	}
	for _, id := range held {
		if count[id] != 2 {
			t.Errorf("%s was announced %d times", id.Short(), count[id])
		}
	}
	s.next(testNow.Add(time.Hour), nil)
	if len(s) > 0 {
		t.Errorf("%d contents are remembered that are gone", len(s))
	}
}

func FuzzDecodeLSD(f *testing.F) {
	f.Add(lsdAnnounce{port: 7071, contents: [][20]byte{{1}, {2}}, cookie: "me"}.append(nil, lsdGroup4))
	f.Add([]byte("BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: \r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeLSD(b)
		if err != nil {
			return
		}
		if a.port == 0 || len(a.contents) == 0 || len(a.contents) > lsdHeaders || len(a.cookie) > lsdCookie {
			t.Errorf("%+v", a)
		}
		again := a
		again.contents = a.contents[:min(len(a.contents), lsdContents)]
		if back, err := decodeLSD(again.append(nil, lsdGroup6)); err != nil || !reflect.DeepEqual(back, again) {
			t.Errorf("%+v became %+v, %v", again, back, err)
		}
	})
}
