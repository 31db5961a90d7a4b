//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/shoal-cdn/shoal"
	"golang.org/x/sys/unix"
)

// Command is [exec.CommandContext] for a program that runs on the host. The process
// that it starts is the program itself, leader of a process group which is
// killed as a whole when ctx ends, and it dies with this process.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	cmd := exec.CommandContext(ctx, "nsenter", slices.Concat([]string{"--net=" + h.ns.path(), "--", path}, args)...)
	if err != nil {
		cmd.Err = fmt.Errorf("run on host %s: %w", h.name, err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	cmd.WaitDelay = 2 * time.Second // a grandchild outside the group may hold the output open
	return cmd
}

// killGroup kills a command's process group, as [exec.Cmd.Cancel] does a process.
func killGroup(pid int) error {
	err := unix.Kill(-pid, unix.SIGKILL)
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// ProcessConfig describes a program that runs on a host.
type ProcessConfig struct {
	Name    string   // for messages
	Command []string // the program and its arguments
	Env     []string // KEY=VALUE, on top of this process's environment
	Dir     string   // working directory; "": this process's
	Log     string   // file that standard output and error are appended to
}

// Process is a program that runs in the background, and may be restarted. Its
// methods are safe for concurrent use.
type Process struct {
	host *Host
	cfg  ProcessConfig

	mu   sync.Mutex // guards the fields below, of the latest start
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended; then cmd.ProcessState is set
}

// Start starts a program on the host. It runs until it ends, is stopped or
// killed, or the lab is closed.
func (h *Host) Start(cfg ProcessConfig) (*Process, error) {
	if len(cfg.Command) == 0 {
		return nil, fmt.Errorf("start %s on host %s: %w: no command", cfg.Name, h.name, shoal.ErrInvalid)
	}
	p := &Process{host: h, cfg: cfg}
	if err := h.lab.register(p); err != nil {
		return nil, err
	}
	return p, nil
}

// register starts a process that the lab ends when it closes.
func (l *Lab) register(p *Process) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("start %s on host %s: %w: the lab is closed", p.cfg.Name, p.host.name, shoal.ErrConflict)
	}
	if err := p.start(); err != nil {
		return err
	}
	l.processes = append(l.processes, p)
	return nil
}

// start is called while no process runs, with mu held or before p is shared.
func (p *Process) start() error {
	log, err := os.OpenFile(p.cfg.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("start %s on host %s: %w", p.cfg.Name, p.host.name, err)
	}
	defer log.Close() // the process has its own copy
	cmd := p.host.Command(context.Background(), p.cfg.Command[0], p.cfg.Command[1:]...)
	cmd.Env = append(os.Environ(), p.cfg.Env...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.cfg.Dir, log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s on host %s: %w", p.cfg.Name, p.host.name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	go func() {
		defer close(done)
		cmd.Wait() // how it ended is in ProcessState
	}()
	return nil
}

// Name is the name that the process was given.
func (p *Process) Name() string { return p.cfg.Name }

// Host is the host that the process runs on.
func (p *Process) Host() *Host { return p.host }

// PID is the process's number, of its latest start.
func (p *Process) PID() int {
	cmd, _ := p.current()
	return cmd.Process.Pid
}

// Done is closed when the process, as latest started, has ended.
func (p *Process) Done() <-chan struct{} {
	_, done := p.current()
	return done
}

func (p *Process) current() (*exec.Cmd, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd, p.done
}

// Err says how the process ended; nil while it runs, and where it exited with 0.
func (p *Process) Err() error {
	cmd, done := p.current()
	select {
	case <-done:
	default:
		return nil
	}
	if cmd.ProcessState.Success() {
		return nil
	}
	return fmt.Errorf("%s on host %s: %v", p.cfg.Name, p.host.name, cmd.ProcessState)
}

// Kill kills the process group as kill -9 does, and waits until the process is
// gone. That it had ended before is no error.
func (p *Process) Kill() error {
	cmd, done := p.current()
	select {
	case <-done: // the PID may be another's by now
		return nil
	default:
	}
	if err := killGroup(cmd.Process.Pid); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s on host %s: %w", p.cfg.Name, p.host.name, err)
	}
	<-done
	return nil
}

// Stop asks the process to end (SIGTERM), kills it when ctx is over, and
// returns how it ended, as Err does.
func (p *Process) Stop(ctx context.Context) error {
	cmd, done := p.current()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s on host %s: %w", p.cfg.Name, p.host.name, err)
	}
	select {
	case <-done:
		return p.Err()
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("stop %s on host %s: %w", p.cfg.Name, p.host.name, ctx.Err()), p.Kill())
	}
}

// Restart starts the same command again; it must have ended.
func (p *Process) Restart() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.done:
		return p.start()
	default:
		return fmt.Errorf("restart %s on host %s: %w: it runs", p.cfg.Name, p.host.name, shoal.ErrConflict)
	}
}

// Stats is what the process, as latest started, has used; after its end, what
// it had used by then.
func (p *Process) Stats() (Stats, error) {
	cmd, done := p.current()
	s, err := ReadStats(cmd.Process.Pid)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		<-done // it is gone since it has just been waited for
	}
	select {
	case <-done: // the PID may be another's by now
		st := cmd.ProcessState
		peak := st.SysUsage().(*syscall.Rusage).Maxrss << 10
		return Stats{CPU: st.UserTime() + st.SystemTime(), PeakRSS: shoal.Size(peak)}, nil
	default:
		return s, err
	}
}

// LogPath is the file that the output of all starts goes to.
func (p *Process) LogPath() string { return p.cfg.Log }

// LogTail is the last lines of the output.
func (p *Process) LogTail(lines int) (string, error) {
	b, err := os.ReadFile(p.cfg.Log)
	if err != nil {
		return "", err
	}
	all := strings.SplitAfter(strings.TrimSuffix(string(b), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], ""), nil
}
