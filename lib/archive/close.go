package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"nfpipe/lib/stream"
)

// close closes a slot on a goroutine of its own, after those before it.
func (a *Archive) close(s *slot) {
	before, done := a.last, make(chan struct{})
	a.last = done
	a.waiting.Add(1)
	go func() {
		<-before
		a.stuck = append(a.stuck, s)
		a.closeStuck()
		a.waiting.Add(-1)
		close(done)
	}()
}

// closeStuck closes what waits, with those that could not be closed before, and makes room.
func (a *Archive) closeStuck() {
	stuck := a.stuck[:0]
	for _, s := range a.stuck {
		err := a.finish(s)
		if err != nil {
			if s.err == nil {
				a.opt.Warn(fmt.Errorf("slot is not closed yet: %w", err))
			}
			s.err = err
			stuck = append(stuck, s)
		} else if s.path != "" {
			a.opt.Done(s.report(nil))
		}
	}
	clear(a.stuck[len(stuck):])
	a.stuck = stuck
	if !a.opt.Expire.none() {
		if _, err := Expire(a.dir, a.opt.Expire, a.opt.Now()); err != nil {
			a.opt.Warn(err)
		}
	}
}

// finish ends a slot, joins its short frames and gives the file its name. It can be called
// again after an error.
func (a *Archive) finish(s *slot) error {
	if !s.closed {
		if err := s.finalEnd(); err != nil {
			return err
		}
	}
	if s.good == 0 { // a crash left nothing that is whole
		err := os.Remove(s.path)
		s.path = ""
		return errors.Join(err, s.file.Close())
	}
	if !s.joined {
		s.joined = true
		if s.left {
			s.count()
		}
		if a.waiting.Load() <= tooFarBehind {
			if err := a.join(s); err != nil {
				a.opt.Warn(fmt.Errorf("%s: short frames stay as they are: %w", s.path, err))
			}
		}
	}
	if a.opt.Sync > 0 {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if err := a.place(s); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.file.Close(); err != nil {
		a.opt.Warn(plain(err))
	}
	s.file = nil
	return nil
}

// finalEnd writes the End of a slot, or repairs one that a crash left.
func (s *slot) finalEnd() error {
	if s.left {
		return s.repair()
	}
	if err := s.put(func(s *slot) error { return s.w.End(s.final) }); err != nil {
		return err
	}
	s.closed = true
	return nil
}

// count adds up what is in a slot that a crash left.
func (s *slot) count() {
	ends, _ := stream.Ends(s.file, s.good)
	for i := range ends {
		e := &ends[i]
		e.Totals.Records = e.Records
		s.totals.Add(&e.Totals)
		s.final.Losses.SequenceGaps += e.Losses.SequenceGaps
		s.final.Losses.Drops += e.Losses.Drops
		s.final.Losses.UnknownTemplates += e.Losses.UnknownTemplates
	}
}

// place gives a slot the first of its names that is free.
func (a *Archive) place(s *slot) error {
	if err := os.MkdirAll(filepath.Join(a.dir, a.naming.subdir(s.start)), 0o777); err != nil {
		return err
	}
	for path := range a.naming.names(a.dir, s.start, startOf) {
		_, err := os.Lstat(path)
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Rename(s.path, path); err != nil {
			return err
		}
		s.path = path
		return nil
	}
	return nil // not reached: numbered names do not end
}
