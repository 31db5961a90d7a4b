package uploads

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"

	"github.com/shoal-cdn/shoal/internal/durable"
)

// appender writes this process's logs of an upload: one, but for failures.
type appender struct {
	mu  sync.Mutex
	log *os.File // nil before the first entry, and after a failure
	seq int
}

// logPrefix is what the logs of a session begin with.
func logPrefix(session string) string { return "have." + session + "." }

const logSuffix = ".log"

func (a *appender) append(u *Upload, entries []entry) (failed error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var b []byte
	if a.log == nil {
		root, release, err := u.folder()
		if err != nil {
			return err
		}
		defer release()
		// A log whose end is not known is left alone: what does not decode ends it.
		name := logPrefix(u.store.cfg.Session) + strconv.Itoa(a.seq) + logSuffix
		a.seq++
		if a.log, err = root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644); err != nil {
			a.log = nil
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("another process has the session %s", u.store.cfg.Session)
			}
			return room(gone(u.rec.Task, err))
		}
		b = append(b, logMagic...)
		defer func() {
			if failed != nil {
				return
			}
			if failed = durable.Sync(root, "."); failed != nil {
				a.drop() // or the next entry would rely on it
			}
		}()
	}
	for _, e := range entries {
		b = appendEntry(b, u.key, e)
	}
	_, err := a.log.Write(b)
	if err == nil {
		err = a.log.Sync()
	}
	if err != nil {
		a.drop()
		return room(gone(u.rec.Task, err))
	}
	return nil
}

func (a *appender) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop()
}

// drop needs mu.
func (a *appender) drop() {
	if a.log != nil {
		_ = a.log.Close() // what was written is synced
		a.log = nil
	}
}
