package archive

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Limits are what an archive may take, as nfexpire has them. Zero is no limit.
type Limits struct {
	MaxSize   int64         // bytes on disk: whole blocks, as nfexpire counts
	MaxAge    time.Duration // of the start of a slot
	Watermark int           // percent of a limit down to which files are deleted; 0: 95
}

const defaultWatermark = 95

func (l *Limits) none() bool { return l.MaxSize <= 0 && l.MaxAge <= 0 }

// below is so many percent of a limit.
func (l *Limits) below(limit int64) int64 {
	percent := l.Watermark
	if percent <= 0 || percent > 100 {
		percent = defaultWatermark
	}
	return int64(float64(limit) / 100 * float64(percent))
}

// Expired is what was deleted.
type Expired struct {
	Files int
	Bytes int64 // on disk
}

// Expire deletes files of the archive in dir, oldest slots first, when a limit is passed, until
// what is left is within the watermark of it. Open slots, and files whose names are no slots',
// stay and do not count. Directories that it empties go too.
func Expire(dir string, l Limits, now time.Time) (Expired, error) {
	files, err := List(dir)
	if err != nil || l.none() {
		return Expired{}, err
	}
	var total int64
	sizes := make([]int64, len(files))
	for i, f := range files {
		if info, err := os.Lstat(f.Path); err == nil && !f.Open {
			sizes[i] = sizeOnDisk(info)
			total += sizes[i]
		}
	}
	keep, oldest := int64(-1), time.Time{}
	if l.MaxSize > 0 && total > l.MaxSize {
		keep = l.below(l.MaxSize)
	}
	if l.MaxAge > 0 && len(files) > 0 && now.Sub(files[0].Start) > l.MaxAge {
		oldest = now.Add(-time.Duration(l.below(int64(l.MaxAge))))
	}
	var done Expired
	for i, f := range files {
		if f.Open || !(keep >= 0 && total > keep) && !f.Start.Before(oldest) {
			break
		}
		if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return done, err
		}
		total -= sizes[i]
		done.Files++
		done.Bytes += sizes[i]
		removeEmpty(dir, filepath.Dir(f.Path))
	}
	return done, nil
}

// removeEmpty deletes a directory below dir and those above it while they are empty.
func removeEmpty(dir, sub string) {
	for dir = filepath.Clean(dir); sub != dir && len(sub) > len(dir); sub = filepath.Dir(sub) {
		if os.Remove(sub) != nil {
			return
		}
	}
}
