package main

import (
	"os"
	"path/filepath"

	"nfpipe/lib/archive"
	"nfpipe/lib/cli"
	"nfpipe/lib/stream"
)

// inputs are the files that -r, -R and -M name: those of -r as they come, then those of all
// ranges in the order of their slots. What has no files is reported; false when nothing is left.
func inputs(env *cli.Env, c *config) ([]string, bool) {
	dirs := []string{""}
	if *c.dirs != "" {
		dirs = archive.Dirs(*c.dirs)
	}
	ranges := *c.ranges
	if *c.dirs != "" && len(*c.read)+len(ranges) == 0 {
		ranges = []string{"."}
	}
	var names []string
	for _, name := range *c.read {
		for _, dir := range dirs {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				ranges = append(ranges, name)
				break
			}
			if dir == "" {
				path = name
			}
			names = append(names, path)
		}
	}
	if len(ranges) == 0 {
		return env.Inputs(names)
	}
	var files []archive.File
	for _, spec := range ranges {
		for _, dir := range dirs {
			found, err := archive.Range(filepath.Join(dir, spec))
			if err != nil {
				env.Error(err)
			}
			files = append(files, found...)
		}
	}
	archive.Sort(files)
	for _, f := range files {
		names = append(names, f.Path)
	}
	return names, len(names) > 0
}

// endsOf reads the ends of a file's segments, when they tell all that is to be known of it: it
// is a whole stream, every segment is complete, and its totals are known.
func endsOf(name string) ([]stream.End, bool) {
	if name == "-" {
		return nil, false
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, false
	}
	ends, ok := stream.Ends(f, info.Size())
	for i := range ends {
		ok = ok && ends[i].Status == stream.Complete && ends[i].HasTotals
	}
	return ends, ok
}
