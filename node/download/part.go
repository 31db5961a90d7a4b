package download

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/shoal-cdn/shoal"
	"github.com/shoal-cdn/shoal/internal/durable"
)

// syncBytes is how much may have to be fetched again after a power cut.
const syncBytes = 64 << 20

// part is the file that data arrives in, one byte after the other, together
// with the hash of what is there. It belongs to one goroutine.
type part struct {
	folder *Folder
	key    string
	file   *os.File
	hash   *shoal.FileHasher
	state  state
	moved  bool // it is no part any more
}

func (f *Folder) openPart(key, rawURL string, hash *shoal.FileHasher) (*part, error) {
	file, err := f.root.OpenFile(path.Join(partsDir, key+partExt), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	st, known := f.parts[key]
	f.mu.Unlock()
	if !known || st.URL != rawURL || st.Validator == "" {
		st = state{URL: rawURL, Total: -1}
	}
	return &part{folder: f, key: key, file: file, hash: hash, state: st}, nil
}

// size is how many bytes are there.
func (p *part) size() int64 { return p.hash.Size() }

// recover takes up what an earlier fetch left, as far as it is durable: the
// rest may be anything after a power cut. Of a file that is there to the end
// the last byte is left out, so that there is something to ask the server for.
func (p *part) recover(ctx context.Context) error {
	take := p.state.Durable
	if take == p.state.Total && take > 0 {
		take--
	}
	if info, err := p.file.Stat(); err != nil || info.Size() < take {
		take = 0
	}
	buf := make([]byte, BufferSize)
	for p.size() < take {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b := buf[:min(int64(len(buf)), take-p.size())]
		if _, err := p.file.ReadAt(b, p.size()); err != nil {
			return p.restart() // it can still be fetched
		}
		if _, err := p.hash.Write(b); err != nil {
			return err
		}
	}
	if take == 0 {
		return p.restart()
	}
	return p.file.Truncate(take)
}

// restart throws away what is there.
func (p *part) restart() error {
	p.hash.Reset()
	p.state = state{URL: p.state.URL, Total: -1}
	if err := p.file.Truncate(0); err != nil {
		return err
	}
	p.folder.mu.Lock()
	delete(p.folder.parts, p.key)
	p.folder.mu.Unlock()
	return p.folder.states.Delete(p.key)
}

// append stores the next bytes.
func (p *part) append(b []byte) error {
	if _, err := p.file.WriteAt(b, p.size()); err != nil {
		return final{fmt.Errorf("%w: %w", shoal.ErrUnavailable, err)}
	}
	if _, err := p.hash.Write(b); err != nil {
		return final{err}
	}
	if p.size()-p.state.Durable >= syncBytes {
		return p.sync()
	}
	return nil
}

// sync makes durable what is there, and then the record of it. What could not
// be continued needs no record.
func (p *part) sync() error {
	if p.state.Durable == p.size() {
		return nil
	}
	if err := p.file.Sync(); err != nil {
		return final{fmt.Errorf("%w: %w", shoal.ErrUnavailable, err)}
	}
	p.state.Durable = p.size()
	if p.state.Validator == "" {
		return nil
	}
	if err := p.folder.states.Put(p.key, p.state); err != nil {
		return final{fmt.Errorf("%w: %w", shoal.ErrUnavailable, err)}
	}
	p.folder.mu.Lock()
	p.folder.parts[p.key] = p.state
	p.folder.mu.Unlock()
	return nil
}

// publish moves the file, which is complete, to another name in the folder,
// durably.
func (p *part) publish(dir, to string) error {
	root := p.folder.root
	if err := p.file.Chmod(0o644); err != nil {
		return err
	}
	if err := p.file.Sync(); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := root.Rename(path.Join(partsDir, p.key+partExt), to); err != nil {
		return err
	}
	p.moved = true
	for _, d := range []string{dir, ".", partsDir} {
		if err := durable.Sync(root, d); err != nil {
			return err
		}
	}
	p.folder.mu.Lock()
	defer p.folder.mu.Unlock()
	delete(p.folder.parts, p.key)
	return p.folder.states.Delete(p.key)
}

// leave closes the file. What is there stays for another fetch, unless that
// could not use it or drop says that none is to.
func (p *part) leave(drop bool) error {
	if p.moved {
		return p.file.Close()
	}
	drop = drop || p.state.Validator == ""
	var err error
	if !drop {
		err = p.sync()
	}
	err = errors.Join(err, p.file.Close())
	if drop {
		p.folder.mu.Lock()
		defer p.folder.mu.Unlock()
		err = errors.Join(err, p.folder.forget(p.key))
	}
	return err
}
