package subtask

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/node/library"
	"github.com/shoal-cdn/shoal/tracker/api"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// parse makes orders written "NAME[:CONTENT][@PRIORITY][MARKS]", each a second younger than
// the one before it. Marks: ! it runs, ~ it runs and nothing comes, + a restart interrupted
// it, = its content is here, x it is over, z it is from before a restart.
func parse(t *testing.T, text string) map[string]*task {
	t.Helper()
	tasks := make(map[string]*task)
	for i, word := range strings.Fields(text) {
		word, marks := strings.TrimRight(word, "!~+=xz"), word
		rest, priority, _ := strings.Cut(word, "@")
		name, content, named := strings.Cut(rest, ":")
		if !named {
			content = name
		}
		p, _ := strconv.Atoi(priority)
		tk := &task{Order: api.SubTaskOrder{Task: name, Priority: api.Priority(p)}, Accepted: t0.Add(time.Duration(i) * time.Second)}
		copy(tk.Order.Content[:], content)
		tk.Report.State = api.Pending
		for _, m := range marks[len(word):] {
			switch m {
			case '!', '~':
				tk.begin(library.Tally{}, t0)
				tk.pulse.stalled = m == '~'
			case '+':
				tk.Began = t0
			case '=':
				tk.here = true
			case 'x':
				tk.Report.State = api.Succeeded
			case 'z':
				tk.asleep = true
			}
		}
		tasks[name] = tk
	}
	return tasks
}

func TestTurn(t *testing.T) {
	for _, tt := range []struct {
		about, orders string
		most          int
		want          string
	}{
		{"nothing", "", 1, ""},
		{"the oldest of equals", "a b c", 1, "a"},
		{"as many as fit", "a b c", 2, "a b"},
		{"no room", "a! b@10", 1, ""},
		{"what is over leaves room", "ax b", 1, "b"},
		{"the highest", "a@-10 b c@10", 1, "c"},
		{"the highest, then age", "a@1 b@2 c@1 d@2", 3, "b d a"},
		{"what is below zero comes last", "a@-1 b", 1, "b"},
		{"what a restart interrupted goes before all", "a@10 b@-10+ c", 2, "b a"},
		{"what does not move leaves room", "a~ b! c d", 2, "c"},
		{"not without end", "a~ b~ c~ d~ e@10", 1, ""},
		{"as far as the total goes", "a~ b~ c~ d e", 1, "d"},
		{"at least one of them moves", "a! b~ c~ d~ e~ f~ g~ h i j", 2, "h"},
		{"what costs nothing may exceed the total", "a:p~ b~ c~ d~ e:p f= g", 1, "e f"},
		{"a content counts once", "a:p b:p@-5 c", 2, "a c b"},
		{"a content that is on its way costs nothing", "a:p! b:q! c:p@-5 d", 2, "c"},
		{"even where it does not move", "a:p~ b:q! c:p d@-1", 1, "c"},
		{"what is here costs nothing", "a! b@-5= c@10", 1, "b"},
		{"before the restart is over", "az b@5z", 1, ""},
	} {
		var got []string
		for _, b := range turn(parse(t, tt.orders), tt.most) {
			got = append(got, b.Order.Task)
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s (%s, %d at a time): %q, want %q", tt.about, tt.orders, tt.most, got, tt.want)
		}
	}
}

func contentOf(n byte) shoal.ContentID { return shoal.ContentID{n} }

func BenchmarkTurn(b *testing.B) {
	tasks := make(map[string]*task)
	for i := range 5000 {
		id := fmt.Sprint(i)
		tasks[id] = &task{Order: api.SubTaskOrder{Task: id, Content: contentOf(byte(i)), Priority: api.Priority(i % 21)}, Report: api.SubTaskReport{State: api.Pending}}
		tasks[id].Order.Content[1] = byte(i >> 8)
	}
	for b.Loop() {
		turn(tasks, 8)
	}
}
