package shoal

import "testing"

func TestNearness(t *testing.T) { // M4
	home := Locality{"c1", "r1", "s1"}
	tests := []struct {
		a, b  Locality
		want  Nearness
		cross bool
	}{
		{home, home, SameSite, false},
		{home, Locality{"c1", "r1", "s2"}, SameRegionAndCarrier, false},
		{home, Locality{"c1", "r1", ""}, SameRegionAndCarrier, false},
		{home, Locality{"c1", "r2", "s1"}, SameCarrier, false}, // another region's site of that name
		{home, Locality{"c2", "r1", "s1"}, Elsewhere, true},
		{home, Locality{"c2", "r1", ""}, Elsewhere, true},
		{home, Locality{"", "r1", "s1"}, Elsewhere, false},
		{home, Locality{}, Elsewhere, false},
		{Locality{}, Locality{}, Elsewhere, false}, // two unknowns are not one place
		{Locality{"", "", "lan"}, Locality{"", "", "lan"}, SameSite, false},
		{Locality{"c1", "", ""}, Locality{"c1", "", ""}, SameCarrier, false},
	}
	for _, tt := range tests {
		for range 2 { // both ways round
			if got := tt.a.Nearness(tt.b); got != tt.want {
				t.Errorf("%v to %v: %d, want %d", tt.a, tt.b, got, tt.want)
			}
			if got := tt.a.CrossCarrier(tt.b); got != tt.cross {
				t.Errorf("%v to %v: cross carrier %v", tt.a, tt.b, got)
			}
			tt.a, tt.b = tt.b, tt.a
		}
	}
	if !(SameSite < SameRegionAndCarrier && SameRegionAndCarrier < SameCarrier && SameCarrier < Elsewhere) {
		t.Error("nearer is not smaller")
	}
}
