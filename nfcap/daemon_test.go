package main

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"nfpipe/lib/cli"
)

// daemon starts nfcap with -D and returns how the first process ended, and the process id of
// the daemon, 0 if there is none.
func daemon(t testing.TB, pidfile string, args ...string) (p *process, pid int) {
	t.Helper()
	p = launch{}.spawn(t, append([]string{"-D", "-P", pidfile}, args...)...)
	p.wait()
	b, err := os.ReadFile(pidfile)
	if err != nil {
		return p, 0
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
	check(t, err)
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	return p, pid
}

// runs tells whether a process is there and not merely waited for.
func runs(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil
	}
	_, state, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(state, "Z")
}

// When the first process of -D ends, the daemon receives already.
func TestDaemon(t *testing.T) {
	t.Parallel()
	dir, pidfile := t.TempDir(), filepath.Join(t.TempDir(), "nfcap.pid")
	began := time.Now()
	p, pid := daemon(t, pidfile, "-l", dir)
	if p.code != cli.Done || pid == 0 || pid == p.cmd.Process.Pid || !runs(pid) {
		t.Fatalf("code %d, daemon %d: %s", p.code, pid, &p.stderr)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	s := exporter(t, p, "")
	s.send(3)
	p.awaits("nfcap_packets_total", 3)
	// a second one cannot have the port, and says so
	other := filepath.Join(t.TempDir(), "other.pid")
	second, none := daemon(t, other, "-l", t.TempDir(), "-p", fmt.Sprint(p.port))
	if second.code != cli.Failed || none != 0 {
		t.Errorf("the second ended with %d, pid file %d", second.code, none)
	}
	second.says("address already in use")
	check(t, syscall.Kill(pid, syscall.SIGTERM))
	eventually(t, "the daemon ends", func() bool { return !runs(pid) })
	c := stored(t, dir)
	c.once(t, s.next)
	c.complete(t)
	if _, err := os.Stat(pidfile); err == nil {
		t.Error("the pid file is left")
	}
}

// What a daemon cannot do is said before the first process ends.
func TestDaemonFails(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, says string }{
		{"-l /nonexistent/dir", "nfcap: /nonexistent/dir: no such file or directory"},
		{"-l D --listen tcp://192.0.2.77:4739", "cannot assign requested address"},
		{"-l D -u nobody-at-all", "-u nobody-at-all: "},
		{"-l D --listen tls://127.0.0.1:0 --tls-cert /nonexistent/c --tls-key /nonexistent/k", "/nonexistent/c"},
	} {
		pidfile := filepath.Join(t.TempDir(), "pid")
		p, pid := daemon(t, pidfile, strings.Fields(strings.ReplaceAll(c.args, "D", t.TempDir()))...)
		if p.code != cli.Failed || pid != 0 {
			t.Errorf("%s: code %d, pid file %d", c.args, p.code, pid)
		}
		p.says(c.says)
	}
	p, pid := daemon(t, filepath.Join(t.TempDir(), "pid"), "-t", "0", "-l", t.TempDir())
	if p.code != cli.Usage || pid != 0 {
		t.Errorf("wrong usage: code %d", p.code)
	}
}

// -P without -D.
func TestPidfile(t *testing.T) {
	t.Parallel()
	pidfile := filepath.Join(t.TempDir(), "pid")
	p := start(t, "-P", pidfile)
	b, err := os.ReadFile(pidfile)
	if err != nil || string(b) != fmt.Sprintln(p.cmd.Process.Pid) {
		t.Errorf("%q, %v", b, err)
	}
	p.well()
	if _, err := os.Stat(pidfile); err == nil {
		t.Error("the pid file is left")
	}
}

// -u and -g give rights up when the ports are open; what is written belongs to that user.
func TestDropRights(t *testing.T) {
	t.Parallel()
	nobody, err := user.Lookup("nobody")
	if os.Getuid() != 0 || err != nil {
		skip(t, "root, and a user nobody")
	}
	group, err := user.LookupGroupId(nobody.Gid)
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:813") // a port that only root may have
	if err != nil {
		skip(t, "port 813 of 127.0.0.1: "+err.Error())
	}
	l.Close()
	dir, err := os.MkdirTemp("/var/tmp", "nfcap-test-") // all directories above must be open to it
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	check(t, os.Chown(dir, uid, gid))
	pidfile := filepath.Join(t.TempDir(), "pid") // where nobody may not write
	p := start(t, "-u", "nobody", "-g", group.Name, "-l", dir, "-P", pidfile, "--listen", "tcp://127.0.0.1:813")
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err == nil {
		for _, want := range []string{
			fmt.Sprintf("\nUid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", uid), fmt.Sprintf("\nGid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", gid),
			"\nCapEff:\t0000000000000000\n", fmt.Sprintf("\nGroups:\t%d \n", gid),
		} {
			if !strings.Contains(string(b), want) {
				t.Errorf("/proc/…/status lacks %q", want)
			}
		}
	}
	if _, err := os.Stat(pidfile); err != nil {
		t.Error(err)
	}
	s := exporter(t, p, "")
	s.send(2)
	p.awaits("nfcap_packets_total", 2)
	p.signal(syscall.SIGUSR1)
	s.send(2)
	p.awaits("nfcap_packets_total", 4)
	p.well()
	if b, err := os.ReadFile(pidfile); err == nil && len(b) > 0 {
		t.Errorf("the pid file says %q at the end", b)
	}
	c := stored(t, dir)
	c.once(t, s.next)
	for _, name := range residents(t, dir, "") {
		info, err := os.Stat(filepath.Join(dir, name))
		check(t, err)
		if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != uid {
			t.Errorf("%s belongs to user %d", name, owner)
		}
	}
}
