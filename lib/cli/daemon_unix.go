//go:build unix

package cli

import (
	"fmt"
	"log/syslog"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// SystemLog writes to syslog, under the name of the tool.
func (e *Env) SystemLog() (func(string), error) {
	w, err := syslog.New(syslog.LOG_INFO|syslog.LOG_DAEMON, e.Tool)
	if err != nil {
		return nil, err
	}
	return func(s string) { w.Info(s) }, nil
}

// Pidfile writes the process id to a file, none without a name. remove takes the file away, or
// empties it where the rights for that are gone.
func Pidfile(name string) (remove func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	remove = func() {
		if os.Remove(name) != nil {
			f.Truncate(0)
		}
		f.Close()
	}
	if _, err = fmt.Fprintln(f, os.Getpid()); err != nil {
		remove()
	}
	return remove, err
}

// DropRights becomes another user, of that user's group or another; empty names change nothing.
func DropRights(name, group string) error {
	uid, gid := -1, -1
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			return fmt.Errorf("-u %s: %w", name, err)
		}
		uid, _ = strconv.Atoi(u.Uid)
		gid, _ = strconv.Atoi(u.Gid)
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			return fmt.Errorf("-g %s: %w", group, err)
		}
		gid, _ = strconv.Atoi(g.Gid)
	}
	if gid >= 0 {
		if err := syscall.Setgroups([]int{gid}); err != nil {
			return fmt.Errorf("-g: %w", err)
		}
		if err := syscall.Setgid(gid); err != nil {
			return fmt.Errorf("-g: %w", err)
		}
	}
	if uid >= 0 {
		if err := syscall.Setuid(uid); err != nil {
			return fmt.Errorf("-u %s: %w", name, err)
		}
	}
	return nil
}
