package uploads

import (
	"fmt"
	"io/fs"
	"os"

	"github.com/shoal-cdn/shoal"
)

// folder is the upload's folder, until the caller calls release: the one whose description
// was read, by whatever name it goes now. [shoal.ErrNotFound] where it is not there any more.
func (u *Upload) folder() (root *os.Root, release func(), err error) {
	return u.store.roots.acquire(u)
}

// openFolder is what folder opens.
func (u *Upload) openFolder() (*os.Root, error) {
	if u.left.Load() {
		u.mu.Lock()
		defer u.mu.Unlock()
		return nil, u.ended
	}
	root, err := u.store.root.OpenRoot(u.rec.Task)
	if err != nil {
		return nil, gone(u.rec.Task, err)
	}
	now, err := root.Stat(descriptionFile)
	if err == nil && !same(now, u.self) {
		err = fmt.Errorf("upload %s: %w: there is another one by its name", u.rec.Task, shoal.ErrNotFound)
	}
	if err != nil {
		_ = root.Close() // it was only read by
		return nil, gone(u.rec.Task, err)
	}
	return root, nil
}

// closeAll closes whatever is open of the upload. What is used again is opened again.
func (u *Upload) closeAll() {
	u.store.files.forgetIf(func(k fileKey) bool { return k.of == u })
	u.store.roots.forget(u)
	u.appending.close()
}

// same reports whether two looks found one file, which nobody has written since. The number of a file that is gone is
// soon another's: that one is from another time.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
