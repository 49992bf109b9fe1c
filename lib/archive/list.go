package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nfpipe/lib/stream"
)

// File is one file of an archive.
type File struct {
	Path  string
	Start time.Time // of its slot
	Open  bool      // being written, or left by a writer that crashed

	name name // of a file that is not open
}

// List finds all files of the archive below dir: by the start of their slots, those that are
// open last. Files with other names, hidden ones among them, are left out. A slot that is
// closed meanwhile is listed once.
func List(dir string) ([]File, error) {
	for range 10 {
		files, err := walk(dir, 0, nil)
		if err != nil {
			return nil, plain(err)
		}
		if !slices.ContainsFunc(files, moved) {
			resolve(files)
			Sort(files)
			return files, nil
		}
	}
	return nil, fmt.Errorf("%s: slots are closed faster than they can be listed", dir)
}

// moved tells that an open slot was closed since it was found.
func moved(f File) bool {
	if !f.Open {
		return false
	}
	_, err := os.Lstat(f.Path)
	return errors.Is(err, fs.ErrNotExist)
}

// Sort puts files into the order of List, which of several lists gives one.
func Sort(files []File) {
	slices.SortStableFunc(files, func(a, b File) int {
		switch {
		case a.Open != b.Open && a.Open:
			return 1
		case a.Open != b.Open:
			return -1
		case !a.Start.Equal(b.Start):
			return a.Start.Compare(b.Start)
		}
		return strings.Compare(a.Path, b.Path)
	})
}

// maxDepth bounds how deep directories are searched: -M has one above the four of a layout.
const maxDepth = 16

// walk appends the files below dir, whose names are known but not what their times mean.
func walk(dir string, depth int, files []File) ([]File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return files, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			if depth == maxDepth || strings.HasPrefix(e.Name(), ".") {
				continue
			}
			if files, err = walk(path, depth+1, files); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return files, err
			}
			continue
		}
		if start, ok := openStart(e.Name()); ok {
			files = append(files, File{Path: path, Start: start, Open: true})
		} else if n, ok := parseName(e.Name()); ok {
			files = append(files, File{Path: path, name: n})
		}
	}
	return files, nil
}

// resolve sets the times of files from their names.
func resolve(files []File) {
	zone := zoneOf(files)
	for i := range files {
		f := &files[i]
		if f.Open {
			continue
		}
		starts := f.name.starts(zone)
		f.Start = starts[0]
		if len(starts) == 1 {
			continue
		}
		if s, ok := startOf(f.Path); ok && slices.ContainsFunc(starts, s.Truncate(f.name.length).Equal) {
			f.Start = s
		}
	}
}

// zoneOf is the zone in which the files are named: UTC if one of the first of ours says so.
func zoneOf(files []File) *time.Location {
	looked := 0
	for i := range files {
		f := &files[i]
		if f.Open || f.name.zoned || !strings.HasPrefix(filepath.Base(f.Path), prefix) {
			continue
		}
		if s, ok := startOf(f.Path); ok {
			at := s.Truncate(f.name.length)
			local := slices.ContainsFunc(f.name.starts(time.Local), at.Equal)
			utc := f.name.wall.Equal(at)
			if local != utc {
				return map[bool]*time.Location{true: time.Local, false: time.UTC}[local]
			}
		}
		if looked++; looked == 3 {
			break
		}
	}
	return time.Local
}

// startOf reads from a file which slot it belongs to; false for files of other programs.
func startOf(path string) (time.Time, bool) {
	f, err := os.Open(path)
	if err != nil {
		return time.Time{}, false
	}
	defer f.Close()
	it, err := stream.NewReader(f, stream.Options{Name: path, Lazy: true}).Next()
	if err != nil || it.Kind != stream.KindHead || it.Head.Created == 0 || it.Head.Created > 1<<63-1 {
		return time.Time{}, false
	}
	return time.Unix(0, int64(it.Head.Created)), true
}

// Moved finds the file that an open slot has become, when it was closed since it was listed.
func Moved(path string) (string, bool) {
	start, ok := openStart(filepath.Base(path))
	if !ok {
		return "", false
	}
	files, err := List(filepath.Dir(path))
	if err != nil {
		return "", false
	}
	i := slices.IndexFunc(files, func(f File) bool { return !f.Open && f.Start.Truncate(time.Second).Equal(start) })
	if i < 0 {
		return "", false
	}
	return files[i].Path, true
}

// whole tells whether a file is segments from its first byte to its last.
func whole(f *os.File) bool {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return false
	}
	_, ok := stream.Ends(f, size)
	return ok
}
