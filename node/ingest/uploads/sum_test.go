package uploads

import (
	"errors"
	"testing"

	"github.com/shoal-cdn/shoal"
)

// The catalogue's check values of CRC-32/ISO-HDLC and CRC-32/ISCSI, whatever the writes.
func TestSum(t *testing.T) {
	const want = "cbf43926e3069283"
	var whole, parts Sum
	_, _ = whole.Write([]byte("123456789"))
	for _, part := range []string{"1234", "", "56789"} {
		_, _ = parts.Write([]byte(part))
	}
	if whole.String() != want || parts != whole {
		t.Errorf("%v and %v, want %s", whole, parts, want)
	}
	if got, err := ParseSum(want); got != whole || err != nil {
		t.Errorf("parsed: %v, %v", got, err)
	}
	for _, bad := range []string{"", want[1:], want + "00", "x" + want[1:]} {
		if _, err := ParseSum(bad); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
