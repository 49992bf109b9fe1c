package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Range lists the files that nfdump's -R means:
//
//	DIR          all of DIR, open slots too
//	DIR/A        those of DIR from A on
//	DIR/A:B      those from A to B
//	DIR/S/A:T/B  the same, S and T being directories below DIR
//
// A and B are names of slots, which need not exist. Below DIR all directories are searched. A
// file with another name stands for itself.
func Range(spec string) ([]File, error) {
	if info, err := os.Stat(spec); err == nil && info.IsDir() {
		files, err := List(spec)
		if err != nil {
			return nil, err
		}
		return some(spec, files)
	}
	first, last, two := cutRange(spec)
	from, ok := parseName(filepath.Base(first))
	if !two {
		if _, err := os.Stat(first); err != nil {
			return nil, plain(err)
		}
		if !ok {
			return []File{{Path: first, Open: IsOpen(first)}}, nil
		}
		return between(spec, filepath.Dir(first), from, nil)
	}
	to, ok2 := parseName(filepath.Base(last))
	if !ok || !ok2 {
		name := first
		if ok {
			name = last
		}
		return nil, fmt.Errorf("%s: %s is no name of a slot, such as nfcap.202611240900", spec, filepath.Base(name))
	}

	return between(spec, rootOf(first, last, from), from, &to)
}

// Dirs reads nfdump's -M: in DIR/A:B:C the names behind the first stand beside it.
func Dirs(spec string) []string {
	dirs := strings.Split(spec, ":")
	for i := range dirs[1:] {
		if !filepath.IsAbs(dirs[i+1]) {
			dirs[i+1] = filepath.Join(filepath.Dir(dirs[0]), dirs[i+1])
		}
	}
	return dirs
}

// cutRange splits at the colon behind the name of a slot, for directories may have colons too.
func cutRange(spec string) (first, last string, two bool) {
	for i := range len(spec) {
		if spec[i] != ':' {
			continue
		}
		if _, ok := parseName(filepath.Base(spec[:i])); ok {
			return spec[:i], spec[i+1:], true
		}
	}
	return strings.Cut(spec, ":")
}

// rootOf is the directory that a range is in: that of first, or as far above as last tells by
// its own directories, or as the layout that first lies in.
func rootOf(first, last string, from name) string {
	dir := filepath.Clean(filepath.Dir(first))
	if exists(filepath.Join(dir, last)) {
		return dir
	}
	if sub := filepath.Dir(last); sub != "." {
		if exists(filepath.Join(dir, sub)) {
			return dir
		}
		for range strings.Count(filepath.Clean(sub), "/") + 1 {
			dir = filepath.Dir(dir)
		}
		return dir
	}
	for layout := MaxLayout; layout > 0; layout-- {
		n := naming{layout: layout, zone: time.UTC}
		if root, ok := strings.CutSuffix("/"+dir, "/"+n.subdir(from.wall)); ok {
			return filepath.Clean(strings.TrimPrefix(root, "/"))
		}
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// between lists the closed slots from one name to another, or to the last.
func between(spec, root string, from name, to *name) ([]File, error) {
	files, err := List(root)
	if err != nil {
		return nil, err
	}
	zone := zoneOf(files)
	first, last := from.starts(zone)[0], time.Time{}
	if to != nil {
		ends := to.starts(zone)
		last = ends[len(ends)-1].Add(to.length - 1)
	}
	return some(spec, slices.DeleteFunc(files, func(f File) bool {
		return f.Open || f.Start.Before(first) || to != nil && f.Start.After(last)
	}))
}

// some makes it an error that there are none.
func some(spec string, files []File) ([]File, error) {
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no files of an archive", spec)
	}
	return files, nil
}
