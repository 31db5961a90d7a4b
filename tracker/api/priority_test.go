package api

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
)

func TestPriority(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Priority
		ok   bool
	}{
		{"0", 0, true}, {"10", 10, true}, {"-10", -10, true}, {"+3", 3, true},
		{"11", 0, false}, {"-11", 0, false}, {"high", 0, false}, {"", 0, false}, {"1.5", 0, false}, {"99999999999", 0, false}, {strings.Repeat("9", 5000), 0, false},
	} {
		p, err := ParsePriority(tt.text)
		if tt.ok != (err == nil) || tt.ok && p != tt.want {
			t.Errorf("%.20q: %v, %v", tt.text, p, err)
		}
		if err != nil && (!errors.Is(err, shoal.ErrInvalid) || !strings.Contains(err.Error(), "want a whole number from -10 to 10") || len(err.Error()) > 300) {
			t.Errorf("%.20q: %v", tt.text, err)
		}
	}
}

// What is out of range is read, and refused where a task is made of it: a tracker with
// a wider range must not make a whole reply unreadable.
func TestPriorityInJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "0", `{"priority":7}`: "7", `{"priority":-10}`: "-10", `{"priority":null}`: "0",
		`{"priority":11}`:     "invalid: priority 11: want a whole number from -10 to 10",
		`{"priority":"high"}`: `priority "high": want a whole number from -10 to 10`,
		`{"priority":1.5}`:    "priority 1.5: want",
		`{"priority":[1]}`:    "priority [1]: want",
		`{"priority":1e400}`:  "priority 1e400: want",
	} {
		var n NewTask
		err := json.Unmarshal([]byte(text), &n)
		if err == nil {
			err = n.Check()
		}
		got := n.Priority.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	var o SubTaskOrder
	if err := json.Unmarshal([]byte(`{"task":"t","priority":1000}`), &o); err != nil || o.Priority != 1000 {
		t.Errorf("an order of another range: %+v, %v", o, err)
	}
	if b, err := json.Marshal(NewTask{}); err != nil || strings.Contains(string(b), "priority") {
		t.Errorf("a normal task says more than before: %s, %v", b, err)
	}
}

func TestNewTaskCheck(t *testing.T) {
	for name, n := range map[string]NewTask{
		"ID": {ID: "a/b"}, "destination": {Dest: "../x"}, "limits": {Limits: Limits{EgressCopies: -1}}, "priority": {Priority: MaxPriority + 1},
	} {
		if err := n.Check(); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	n := NewTask{ID: "t", Dest: "a/b", Priority: MinPriority}
	if err := n.Check(); err != nil {
		t.Error(err)
	}
}
