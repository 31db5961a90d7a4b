package shoal

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Rate is a data rate in bytes a second; zero means unknown or unlimited, as
// the field that holds it says. Its text form counts bits, as links do:
// "20Mbit" is 2,500,000 bytes a second. In JSON it is the number of bytes.
// *Rate is a flag value of the command line (pflag.Value).
type Rate int64

// Size is a number of bytes. Its text form uses binary units: "64MiB". In
// JSON it is the number. *Size is a flag value of the command line.
type Size int64

// ParseRate reads "20Mbit", "20Mbps" (bits), "2.5MB" or "10MiB" (bytes), each
// with or without "/s"; "" and "0" are zero. What could mean bits or bytes, a
// bare number or "20Mb", is refused, and so is a rate that rounds to zero.
// The error is of kind [ErrInvalid].
func ParseRate(s string) (Rate, error) {
	if s == "" || s == "0" {
		return 0, nil
	}
	number, unit := splitUnit(strings.TrimSuffix(s, "/s"))
	den := int64(1)
	prefix, isBytes := strings.CutSuffix(strings.TrimSuffix(unit, "ps"), "B")
	if !isBytes {
		var ok bool
		if prefix, ok = strings.CutSuffix(strings.ToLower(unit), "bit"); !ok {
			prefix, ok = strings.CutSuffix(unit, "bps")
		}
		if !ok || strings.HasSuffix(prefix, "i") {
			prefix = "?"
		}
		den = 8
	}
	v, ok := scale(number, prefix, den)
	if !ok || v == 0 && strings.Trim(number, "0.") != "" {
		return 0, fmt.Errorf("rate %q: %w: want a number and a unit, such as 20Mbit or 2.5MB", clip(s), ErrInvalid)
	}
	return Rate(v), nil
}

// ParseSize reads "64MiB", "64M" (binary), "64MB" (decimal) or a number of
// bytes, in any case. The error is of kind [ErrInvalid].
func ParseSize(s string) (Size, error) {
	number, unit := splitUnit(s)
	prefix, explicit := strings.CutSuffix(strings.ToLower(unit), "b")
	if !explicit && prefix != "" && !strings.HasSuffix(prefix, "i") {
		prefix += "i"
	}
	v, ok := scale(number, prefix, 1)
	if !ok {
		return 0, fmt.Errorf("size %q: %w: want a number and a unit, such as 64MiB", clip(s), ErrInvalid)
	}
	return Size(v), nil
}

// splitUnit cuts "2.5 MB" into "2.5" and "MB".
func splitUnit(s string) (number, unit string) {
	unit = strings.TrimLeft(s, "0123456789.")
	return s[:len(s)-len(unit)], strings.TrimSpace(unit)
}

// scale is number times the factor that prefix stands for ("k", "mi", …),
// divided by den and rounded to a whole number.
func scale(number, prefix string, den int64) (int64, bool) {
	factor, ok := factors[strings.ToLower(prefix)]
	if !ok || len(number) > 40 {
		return 0, false
	}
	// Not a float: what was printed must read back as the same number.
	v, ok := new(big.Rat).SetString(number)
	if !ok {
		return 0, false
	}
	v.Mul(v, big.NewRat(factor, den))
	v.Add(v, big.NewRat(1, 2))
	n := new(big.Int).Quo(v.Num(), v.Denom())
	return n.Int64(), n.IsInt64()
}

var factors = map[string]int64{
	"":  1,
	"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12,
	"ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40,
}

// String is the exact text form: [ParseRate] reads the same rate from it.
func (r Rate) String() string {
	for _, u := range rateUnits {
		if r >= u.bytes {
			// Eight times the remainder, in bits, over a power of ten.
			whole, frac := strconv.FormatInt(int64(r/u.bytes), 10), fmt.Sprintf(".%0*d", u.digits, int64(r%u.bytes)*8)
			return whole + strings.TrimRight(strings.TrimRight(frac, "0"), ".") + u.name
		}
	}
	if r == 0 {
		return "0"
	}
	return strconv.FormatInt(int64(r), 10) + "B"
}

var rateUnits = []struct {
	name   string
	bytes  Rate // in one unit
	digits int  // after the point
}{{"Gbit", 1e9 / 8, 9}, {"Mbit", 1e6 / 8, 6}, {"kbit", 1e3 / 8, 3}}

// Short is a rounded form, for a person and not for a program.
func (r Rate) Short() string {
	bits := float64(r) * 8
	switch {
	case bits >= 1e9:
		return round(bits/1e9) + "Gbit"
	case bits >= 1e6:
		return round(bits/1e6) + "Mbit"
	case bits >= 1e3:
		return round(bits/1e3) + "kbit"
	}
	return round(bits) + "bit"
}

// Set reads s with [ParseRate] (pflag.Value).
func (r *Rate) Set(s string) error {
	v, err := ParseRate(s)
	if err == nil {
		*r = v
	}
	return err
}

// Type is the word for a rate in a command's help (pflag.Value).
func (*Rate) Type() string { return "rate" }

// String is the exact text form: [ParseSize] reads the same size from it.
func (s Size) String() string {
	if s == 0 {
		return "0"
	}
	for _, u := range sizeUnits {
		if s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

var sizeUnits = []struct {
	name  string
	bytes Size // in one unit
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// Short is a rounded form, for a person and not for a program.
func (s Size) Short() string {
	for _, u := range sizeUnits {
		if s >= u.bytes {
			return round(float64(s)/float64(u.bytes)) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// Set reads v with [ParseSize] (pflag.Value).
func (s *Size) Set(v string) error {
	n, err := ParseSize(v)
	if err == nil {
		*s = n
	}
	return err
}

// Type is the word for a size in a command's help (pflag.Value).
func (*Size) Type() string { return "size" }

func round(f float64) string {
	return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64)
}
