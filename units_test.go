package shoal

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

// flagValue is pflag.Value.
type flagValue interface {
	fmt.Stringer
	Set(string) error
	Type() string
}

var (
	_ flagValue = (*Rate)(nil)
	_ flagValue = (*Size)(nil)
)

func TestParseRate(t *testing.T) {
	tests := []struct {
		in    string
		want  Rate // -1: refused
		exact string
		short string
	}{
		{"", 0, "0", "0bit"},
		{"0", 0, "0", "0bit"},
		{"0Mbit", 0, "0", "0bit"},
		{"20Mbit", 2_500_000, "20Mbit", "20Mbit"},
		{"20mbit/s", 2_500_000, "20Mbit", "20Mbit"},
		{"20 Mbit", 2_500_000, "20Mbit", "20Mbit"},
		{"20Mbps", 2_500_000, "20Mbit", "20Mbit"},
		{"20MBps", 20_000_000, "160Mbit", "160Mbit"},
		{"2.5MB", 2_500_000, "20Mbit", "20Mbit"},
		{"2.5MB/s", 2_500_000, "20Mbit", "20Mbit"},
		{"10MiB", 10 << 20, "83.88608Mbit", "83.89Mbit"},
		{"1kB", 1000, "8kbit", "8kbit"},
		{"1Gbit", 125_000_000, "1Gbit", "1Gbit"},
		{"1000000001B", 1_000_000_001, "8.000000008Gbit", "8Gbit"},
		{"124B", 124, "124B", "992bit"},
		{"8bit", 1, "1B", "8bit"},
		{"9223372036854775807B", math.MaxInt64, "73786976294.838206456Gbit", "73786976294.84Gbit"},
		{"9223372036854775808B", -1, "", ""},
		{"1bit", -1, "", ""}, // would round to zero, which may mean unlimited
		{"20", -1, "", ""},
		{"20M", -1, "", ""},
		{"20Mb", -1, "", ""},
		{"20Mibit", -1, "", ""},
		{"Mbit", -1, "", ""},
		{"-1Mbit", -1, "", ""},
		{"1e9bit", -1, "", ""},
		{"1.2.3MB", -1, "", ""},
		{".MB", -1, "", ""},
		{"infMB", -1, "", ""},
		{"1_0MB", -1, "", ""},
	}
	for _, tt := range tests {
		var got Rate
		err := got.Set(tt.in)
		if tt.want < 0 {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%q: %d, error %v", tt.in, got, err)
			}
			continue
		}
		if err != nil || got != tt.want || got.String() != tt.exact || got.Short() != tt.short {
			t.Errorf("%q: %d = %s = %s, %v, want %d = %s = %s", tt.in, got, got, got.Short(), err, tt.want, tt.exact, tt.short)
		}
	}
}

func TestParseSize(t *testing.T) {
	tests := []struct {
		in    string
		want  Size // -1: refused
		exact string
		short string
	}{
		{"0", 0, "0", "0B"},
		{"64MiB", 64 << 20, "64MiB", "64MiB"},
		{"64m", 64 << 20, "64MiB", "64MiB"},
		{"64MB", 64_000_000, "62500KiB", "61.04MiB"},
		{"1.5 GiB", 3 << 29, "1536MiB", "1.5GiB"},
		{"1t", 1 << 40, "1TiB", "1TiB"},
		{"1000001", 1000001, "1000001B", "976.56KiB"},
		{"7b", 7, "7B", "7B"},
		{"9007199254740993", 1<<53 + 1, "9007199254740993B", "8192TiB"},
		{"9223372036854775807", math.MaxInt64, "9223372036854775807B", "8388608TiB"},
		{"8388608TiB", -1, "", ""},
		{"", -1, "", ""},
		{"MiB", -1, "", ""},
		{"-1", -1, "", ""},
		{"1e3", -1, "", ""},
		{"0x10", -1, "", ""},
		{"nan", -1, "", ""},
		{"64Mbit", -1, "", ""},
		{"64i", -1, "", ""},
	}
	for _, tt := range tests {
		var got Size
		err := got.Set(tt.in)
		if tt.want < 0 {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%q: %d, error %v", tt.in, got, err)
			}
			continue
		}
		if err != nil || got != tt.want || got.String() != tt.exact || got.Short() != tt.short {
			t.Errorf("%q: %d = %s = %s, %v, want %d = %s = %s", tt.in, got, got, got.Short(), err, tt.want, tt.exact, tt.short)
		}
	}
}

// A value that is refused leaves the flag as it was.
func TestSetKeepsValueOnError(t *testing.T) {
	r, s := Rate(5), Size(6)
	if r.Set("x") == nil || s.Set("x") == nil || r != 5 || s != 6 {
		t.Errorf("rate %d, size %d", r, s)
	}
}
