package uploads

import (
	"fmt"
)

// distributedFile says that the tracker has taken the upload's task.
const distributedFile = "distributed.json"

// Distributed reports whether a server that shares the store has marked it so.
func (u *Upload) Distributed() bool {
	root, release, err := u.folder()
	if err != nil {
		return false
	}
	defer release()
	ok, err := exists(root, distributedFile)
	return ok && err == nil
}

// MarkDistributed notes for all servers that the tracker has taken the upload's task.
func (u *Upload) MarkDistributed() error {
	root, release, err := u.folder()
	if err != nil {
		return err
	}
	defer release()
	if err := replaceFile(root, distributedFile, []byte("{}\n")); err != nil {
		return fmt.Errorf("upload %s: %w", u.rec.Task, room(err))
	}
	return nil
}
