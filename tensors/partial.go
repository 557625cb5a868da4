package tensors

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// ErrBusy is wrapped by Create where another process is writing the same output.
var ErrBusy = errors.New("another process is writing it")

// ErrPartial is wrapped by Create where DIR.partial holds finished work that it can
// neither continue nor throw away unasked: Options.Restart asks.
var ErrPartial = errors.New("unfinished output")

// What DIR.partial holds. The files lie in a folder of their own, which becomes DIR,
// so that nothing else can appear there.
const (
	lockName    = "lock"
	journalName = "journal"
	journalNext = "journal.new"
	workName    = "model"
)

// partial is the folder of an output that can be continued. Its journal is there
// before its files are, and goes after them.
type partial struct {
	disk
	asked   string // the output, for messages
	dir     string
	lock    *flock.Flock
	journal *os.File

	mu     sync.Mutex
	broken error // of the journal
}

func (p *partial) path(name string) string { return filepath.Join(p.dir, name) }

// claim makes DIR.partial, or takes over one that a process left. It changes nothing
// where another holds it, nor where it is a folder of other things.
func claim(d disk, asked, dir string) (_ *partial, err error) {
	p := &partial{disk: d, asked: asked, dir: dir}
	made := false
	defer func() {
		if err != nil && made {
			_ = os.Remove(dir) // if there is nothing in it
		}
	}()
	for range 10 {
		err := p.step("create", dir, func() error {
			err := os.Mkdir(dir, 0o755)
			if errors.Is(err, fs.ErrExist) {
				return nil
			}
			made = made || err == nil
			return err
		})
		if err != nil {
			return nil, err
		}
		if err := p.ours(); err != nil {
			return nil, err
		}
		p.lock = flock.New(p.path(lockName), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o644))
		var locked bool
		err = p.step("lock", p.lock.Path(), func() (err error) {
			locked, err = p.lock.TryLock()
			return err
		})
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // its owner has just removed the folder
		case err != nil:
			_ = os.Remove(p.lock.Path())
			_ = p.lock.Unlock()
			return nil, err
		case !locked:
			return nil, p.busy()
		case p.owns():
			p.sign()
			return p, nil
		}
		_ = p.lock.Unlock()
	}
	return nil, p.busy()
}

// lockless reports whether an error of claim says that the file system has no locks.
func lockless(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK)
}

// owns reports whether the locked file is still the one in the folder: its last owner
// may have removed it between our opening and our locking.
func (p *partial) owns() bool {
	ours, err := p.lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(p.lock.Path())
	return err == nil && os.SameFile(ours, there)
}

// sign says in the lock file who holds it. Where that fails, the lock still holds.
func (p *partial) sign() {
	host, _ := os.Hostname()
	_ = os.WriteFile(p.lock.Path(), fmt.Appendf(nil, "process %d on %s since %s", os.Getpid(), host, time.Now().Format(time.DateTime)), 0o644)
}

func (p *partial) busy() error {
	who := ""
	if text, err := os.ReadFile(p.lock.Path()); err == nil && len(text) > 0 && len(text) < 500 {
		who = " (" + string(text) + ")"
	}
	return fmt.Errorf("output %s: %w%s; wait for it or end it, or choose another output", p.asked, ErrBusy, who)
}

// ours refuses a folder that we did not make: nothing in it may be removed.
func (p *partial) ours() error {
	foreign := func(what string) error {
		return fmt.Errorf("output %s: %s is in the way: it %s; move it away or choose another output", p.asked, p.dir, what)
	}
	if info, err := os.Lstat(p.dir); err != nil || !info.IsDir() {
		return foreign("is not a folder")
	}
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return fmt.Errorf("output %s: %w", p.asked, err)
	}
	has := map[string]bool{}
	for _, e := range entries {
		switch e.Name() {
		case lockName, journalName, journalNext, workName:
			has[e.Name()] = true
		default:
			return foreign(fmt.Sprintf("holds %q, which is not of an unfinished output", e.Name()))
		}
	}
	if has[workName] && !has[journalName] {
		return foreign("has no journal")
	}
	return nil
}

// judge marks the files that an earlier writing finished as kept, and says when that
// began. It changes nothing on the disk. With an error, which wraps ErrPartial, what is
// there must stay.
func (p *partial) judge(files []*outFile, b beginning) (began time.Time, err error) {
	raw, err := os.ReadFile(p.path(journalName))
	if errors.Is(err, fs.ErrNotExist) {
		return b.Began, nil
	}
	var was beginning
	var shards []finished
	if err == nil {
		was, shards, err = parseJournal(raw)
	}
	if err != nil {
		if left, _ := os.ReadDir(p.path(workName)); len(left) == 0 {
			return b.Began, nil
		}
		return b.Began, fmt.Errorf("%w: the journal of %s is damaged, %w; remove that folder", ErrPartial, p.dir, err)
	}
	whole := map[string]int64{}
	var total int64
	for _, s := range shards {
		info, err := os.Lstat(p.path(filepath.Join(workName, filepath.Base(s.Shard))))
		if err == nil && info.Mode().IsRegular() && info.Size() == s.Bytes && whole[s.Shard] == 0 {
			whole[s.Shard] = s.Bytes
			total += s.Bytes
		}
	}
	other := ""
	switch {
	case len(whole) == 0:
		return b.Began, nil
	case was.Identity != b.Identity:
		other = "another merge"
	case was.Layout != b.Layout:
		other = "the same merge with other tensors, metadata or shard size"
	}
	if other != "" {
		return b.Began, fmt.Errorf("%w: %s holds %d finished shards (%d bytes, %.1f GB) of %s, begun %s; repeat that to continue it, or remove the folder",
			ErrPartial, p.dir, len(whole), total, float64(total)/1e9, other, was.Began.Local().Format(time.DateTime))
	}
	for _, f := range files {
		f.kept = f.data > 0 && whole[f.name] == f.size() && p.headed(f)
	}
	return was.Began, nil
}

// headed reports whether a file begins with the header that we would write.
func (p *partial) headed(f *outFile) bool {
	file, err := os.Open(p.path(filepath.Join(workName, f.name)))
	if err != nil {
		return false
	}
	defer file.Close()
	have := make([]byte, len(f.header))
	_, err = io.ReadFull(file, have)
	return err == nil && bytes.Equal(have, f.header)
}

// begin removes all but the kept files and writes the journal.
func (p *partial) begin(files []*outFile, b beginning, parents []string) error {
	if err := p.clear(files); err != nil {
		return err
	}
	if err := p.startJournal(b, files); err != nil {
		return err
	}
	work := p.path(workName)
	err := p.step("create", work, func() error {
		err := os.Mkdir(work, 0o755)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	})
	for _, name := range append([]string{work, p.dir}, parents...) {
		if err == nil {
			err = p.syncDir(filepath.Dir(name))
		}
	}
	return err
}

// clear removes what is not a finished file.
func (p *partial) clear(files []*outFile) error {
	keep := map[string]bool{}
	for _, f := range files {
		keep[f.name] = f.sealed || f.kept
	}
	work := p.path(workName)
	entries, err := os.ReadDir(work)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("output %s: %w", p.asked, err)
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			if err := os.RemoveAll(filepath.Join(work, e.Name())); err != nil {
				return fmt.Errorf("output %s: clearing what was not finished: %w", p.asked, err)
			}
		}
	}
	return nil
}

// release lets others have the folder. Unless its files are kept, it goes.
func (p *partial) release(keep bool) error {
	var errs []error
	if p.journal != nil {
		errs = append(errs, p.journal.Close())
	}
	if !keep {
		errs = append(errs, os.RemoveAll(p.path(workName)), gone(p.path(journalNext)), gone(p.path(journalName)))
	}
	// While we hold it, so that it is not another's; where a file in use cannot be
	// removed, afterwards, for then another's cannot be either.
	removed := os.Remove(p.lock.Path()) == nil
	errs = append(errs, p.lock.Unlock())
	if !removed {
		_ = os.Remove(p.lock.Path())
	}
	if !keep {
		_ = os.Remove(p.dir) // unless another has claimed it since
	}
	return errors.Join(errs...)
}

// gone removes a file that may not be there.
func gone(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
