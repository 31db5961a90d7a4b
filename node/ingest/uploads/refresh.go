package uploads

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shoal-cdn/shoal"
)

// Refresh takes note of what other processes have done: chunks that they have made durable
// can be read, and a completed upload is complete. [shoal.ErrNotFound] where it was deleted.
func (u *Upload) Refresh() error {
	u.refreshing.Lock()
	defer u.refreshing.Unlock()
	u.mu.Lock()
	ended, done := u.ended, u.complete()
	u.mu.Unlock()
	if ended != nil {
		return ended
	}
	now, err := u.store.root.Stat(filepath.Join(u.rec.Task, descriptionFile))
	if err != nil {
		return gone(u.rec.Task, err)
	}
	if !same(now, u.self) {
		return fmt.Errorf("upload %s: %w", u.rec.Task, shoal.ErrNotFound)
	}
	u.refreshed.Store(time.Now().UnixNano())
	if done {
		return nil
	}
	root, release, err := u.folder()
	if err != nil {
		return err
	}
	defer release()
	if err := u.adoptCompletion(root); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	all, err := names(root)
	if err != nil {
		return gone(u.rec.Task, err)
	}
	own := logPrefix(u.store.cfg.Session)
	for _, name := range all {
		if !strings.HasPrefix(name, "have.") || !strings.HasSuffix(name, logSuffix) || strings.HasPrefix(name, own) {
			continue
		}
		if err := u.readOther(root, name); err != nil {
			return fmt.Errorf("upload %s: %s: %w", u.rec.Task, name, gone(u.rec.Task, err))
		}
	}
	return nil
}

// readOther reads what is new in a log of another process.
func (u *Upload) readOther(root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	u.mu.Lock()
	from := u.read[name]
	u.mu.Unlock()
	if info.Size() <= from {
		return nil
	}
	var news []entry
	to, err := readLog(f, from, u.key, u.chunks.n, func(e entry) { news = append(news, e) })
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.complete() {
		return nil
	}
	u.read[name] = to
	if at := info.ModTime(); len(news) > 0 && at.After(u.progress) {
		u.progress = at
	}
	for _, e := range news {
		u.ledger.take(e)
		u.reconcile(int(e.chunk))
	}
	return nil
}

// reconcile makes chunk k readable, or not, as the ledger says. It needs mu.
func (u *Upload) reconcile(k int) {
	_, fresh := u.fresh[k]
	switch has := u.ledger.has(k); {
	case has && u.held.Add(k):
		// What this process has read of the file before may be from before the write.
		file, _, _ := u.chunks.at(k)
		u.store.files.forget(fileKey{u, file})
	case !has && !fresh && u.held.Remove(k):
		u.proven.Remove(k)
	}
}
