package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// process is a child that runs this executable with another command line.
// Its methods are safe for concurrent use.
type process struct {
	name string
	log  string // path of the file that has its output
	cmd  *exec.Cmd

	meant atomic.Bool   // its end is our doing
	done  chan struct{} // closed when it has ended
	err   error         // how it ended; valid once done is closed
}

// startProcess runs exe with args. Its output is appended to the file log. The
// kernel kills it when this process dies, where the kernel can (Linux).
func startProcess(exe, name, log string, args, environ []string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the child has its own descriptor
	cmd := exec.Command(exe, args...)
	cmd.Args[0] = "shoal"
	cmd.Env = environ
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = childAttributes()
	p := &process{name: name, log: log, cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The death signal comes when the thread that started the child ends, so
		// this thread stays.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		close(p.done)
	}()
	return p, <-started
}

// kill is kill -9; it returns once the process is gone.
func (p *process) kill() {
	p.meant.Store(true)
	_ = p.cmd.Process.Kill() // fails only where it has ended
	<-p.done
}

// stop asks the process to end, and kills it if it does not do so in time.
func (p *process) stop(grace time.Duration) {
	p.meant.Store(true)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.kill()
		return
	}
	select {
	case <-p.done:
	case <-time.After(grace):
		p.kill()
	}
}

// childError says that a child ended by itself.
type childError struct{ process *process }

func (e *childError) Error() string {
	return fmt.Sprintf("%s ended by itself: %v", e.process.name, e.process.err)
}

func (e *childError) Unwrap() error { return e.process.err }

// printTail shows the last lines a child that failed has logged.
func printTail(w io.Writer, err error) {
	e, ok := errors.AsType[*childError](err)
	if !ok {
		return
	}
	fmt.Fprintf(w, "the end of %s:\n", e.process.log)
	for _, line := range tail(e.process.log, 15) {
		fmt.Fprintln(w, "  "+printable(line))
	}
}

// tail is the last n lines of a file, looking at no more than its last 16 KiB.
func tail(path string, n int) []string {
	const most = 16 << 10
	f, err := os.Open(path)
	if err != nil {
		return []string{err.Error()}
	}
	defer f.Close()
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, size-most), io.SeekStart) // a failure shows in the read
	}
	b, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return []string{err.Error()}
	}
	lines := strings.Split(string(bytes.TrimSpace(b)), "\n")
	return lines[max(0, len(lines)-n):]
}
