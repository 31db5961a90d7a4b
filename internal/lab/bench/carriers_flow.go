//go:build linux

package main

// inflow is how many bytes of payload a second can come into a carrier from the
// origin's: the largest flow over all lines (Edmonds and Karp). A line that changes
// counts as what it becomes, without its loss, and one that is cut as none.
func (m mesh) inflow(to int) float64 {
	free := make([][]float64, m.carriers)
	for i := range free {
		free[i] = make([]float64, m.carriers)
	}
	for _, r := range m.roads {
		if l := r.last(); l.Loss < 1 {
			free[r.a][r.b] += float64(l.Rate) * linePayload
			free[r.b][r.a] += float64(l.Rate) * linePayload
		}
	}
	var sum float64
	for {
		from := shortest(free, 0, to)
		if from == nil {
			return sum
		}
		add := -1.0
		for c := to; c != 0; c = from[c] {
			if f := free[from[c]][c]; add < 0 || f < add {
				add = f
			}
		}
		for c := to; c != 0; c = from[c] {
			free[from[c]][c] -= add
			free[c][from[c]] += add
		}
		sum += add
	}
}

// shortest is a way over lines that have something free: before each carrier on it
// the one that it is reached from. nil: there is none.
func shortest(free [][]float64, start, end int) []int {
	from := make([]int, len(free))
	for i := range from {
		from[i] = -1
	}
	from[start] = start
	for queue := []int{start}; len(queue) > 0; queue = queue[1:] {
		for next, f := range free[queue[0]] {
			if f > 0 && from[next] < 0 {
				from[next] = queue[0]
				queue = append(queue, next)
			}
		}
	}
	if from[end] < 0 {
		return nil
	}
	return from
}
