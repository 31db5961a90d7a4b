package api

import (
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
)

func TestValidateLeaseRequest(t *testing.T) {
	valid := func() LeaseRequest {
		return LeaseRequest{
			Node: "id1", Session: "s", Task: "t", Reason: SlowPeers, Need: 1,
			Excluded: []Benched{{Upstream: "http://x/", Reason: "404"}}, Lease: "l", Used: 2,
		}
	}
	long := strings.Repeat("x", 3000)
	r := valid()
	r.Excluded[0].Reason = long + "\xff"
	if err := r.Validate(); err != nil || len(r.Excluded[0].Reason) > maxReason+len("…") {
		t.Errorf("valid: %v, reason of %d bytes", err, len(r.Excluded[0].Reason))
	}
	for name, spoil := range map[string]func(*LeaseRequest){
		"no node":                  func(r *LeaseRequest) { r.Node = "" },
		"no session":               func(r *LeaseRequest) { r.Session = "" },
		"malformed task":           func(r *LeaseRequest) { r.Task = "a/b" },
		"no reason":                func(r *LeaseRequest) { r.Reason = "" },
		"negative need":            func(r *LeaseRequest) { r.Need = -1 },
		"negative use":             func(r *LeaseRequest) { r.Used = -1 },
		"many excluded":            func(r *LeaseRequest) { r.Excluded = make([]Benched, MaxBenched+1) },
		"long name of upstream":    func(r *LeaseRequest) { r.Excluded[0].Upstream = long },
		"upstream with an escape":  func(r *LeaseRequest) { r.Excluded[0].Upstream = "\x1b[2J" },
		"many wishes":              func(r *LeaseRequest) { r.Want = make([]Run, MaxWanted+1) },
		"wish for nothing":         func(r *LeaseRequest) { r.Want = []Run{{First: 1}} },
		"wish before the first":    func(r *LeaseRequest) { r.Want = []Run{{First: -1, Count: 2}} },
		"wish beyond all contents": func(r *LeaseRequest) { r.Want = []Run{{First: math.MaxInt, Count: 1}} },
		"malformed lease":          func(r *LeaseRequest) { r.Lease = "../x" },
	} {
		r := valid()
		spoil(&r)
		if err := r.Validate(); !errors.Is(err, shoal.ErrInvalid) || len(err.Error()) > 300 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidateLimits(t *testing.T) {
	many := make(map[string]CarrierLimit)
	for i := range MaxCarriers + 1 {
		many[strings.Repeat("x", i)] = CarrierLimit{}
	}
	if err := (Limits{EgressCopies: 1.5, EgressRate: 1, Carriers: map[string]CarrierLimit{"中国电信": {EgressCopies: 2}}}).Validate(); err != nil {
		t.Error(err)
	}
	for name, l := range map[string]Limits{
		"negative copies":            {EgressCopies: -1},
		"no number of copies":        {EgressCopies: math.NaN()},
		"endless copies":             {EgressCopies: math.Inf(1)},
		"negative rate":              {EgressRate: -1},
		"negative copies, a carrier": {Carriers: map[string]CarrierLimit{"c": {EgressCopies: -1}}},
		"negative rate of a carrier": {Carriers: map[string]CarrierLimit{"c": {EgressRate: -1}}},
		"carrier with an escape":     {Carriers: map[string]CarrierLimit{"\x1b": {}}},
		"many carriers":              {Carriers: many},
	} {
		if err := l.Validate(); !errors.Is(err, shoal.ErrInvalid) || len(err.Error()) > 300 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReturnLease(t *testing.T) {
	var got string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.URL.String()
		w.WriteHeader(http.StatusNoContent)
	}))
	defer s.Close()
	c, _ := NewClient([]string{s.URL}, nil)
	if err := c.ReturnLease(t.Context(), "abc", -1); err != nil || got != "DELETE /v1/leases/abc?used=0" {
		t.Errorf("%s, %v", got, err)
	}
	got = ""
	if err := c.ReturnLease(t.Context(), "../tasks", 1); !errors.Is(err, shoal.ErrInvalid) || got != "" {
		t.Errorf("%s, %v", got, err)
	}
}
