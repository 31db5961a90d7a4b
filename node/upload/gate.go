package upload

import "sync"

// gate holds back what is being sent while another way is measured. It is open at
// first, and safe for concurrent use.
type gate struct {
	mu   sync.Mutex // guards shut
	shut chan struct{}
}

// hold shuts it, until release; it is called by one at a time.
func (g *gate) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = make(chan struct{})
}

// release may be called when it is open.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

// wait returns when the gate is open, or over is closed.
func (g *gate) wait(over <-chan struct{}) {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut == nil {
		return
	}
	select {
	case <-shut:
	case <-over:
	}
}
