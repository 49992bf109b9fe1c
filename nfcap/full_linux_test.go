package main

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk is a file system of so many bytes.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		skip(t, "the right to mount a tmpfs: "+err.Error())
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A kernel that has no pressure stall information, or hides it as containers do, is not worth a word.
func TestSilent(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		skip(t, "the right to unshare mounts: "+string(out))
	}
	dir := t.TempDir()
	p := launch{wrap: []string{"unshare", "-m", "sh", "-c", `mount -t tmpfs none /sys/fs/cgroup && exec "$0" "$@"`}}.start(t, "-l", dir)
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		t.Errorf("code %d", code)
	}
	for line := range strings.Lines(p.stderr.String()) {
		if !strings.Contains(line, ": Ident: ") && !strings.Contains(line, ": Total packets received: 0 ") {
			t.Errorf("said %q", line)
		}
	}
}

// fill writes a file until there is no room, and returns its name.
func fill(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	check(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 512))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	return name
}

// A full disk costs the records that cannot be stored, which are counted and said, and nothing
// else; when there is room, nfcap goes on. The files hold what the metrics call stored.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "2m")
	p := start(t, "-l", dir, "-w", "-t", "86400", "--flush", "20ms")
	s := exporter(t, p, "")
	s.send(100)
	p.awaits("nfcap_stored_records_total", 3000)
	filler := fill(t, dir)
	eventually(t, "records are not stored", func() bool {
		s.send(20)
		return p.metric("nfcap_not_stored_records_total") > 0
	})
	eventually(t, "/healthz says so", func() bool {
		code, body := p.get("/healthz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "no space left on device")
	})
	p.says("no space left on device")
	balance := func(when string) {
		t.Helper()
		eventually(t, "all is stored or not", func() bool {
			return p.metric("nfcap_stored_records_total")+p.metric("nfcap_not_stored_records_total") == int(s.next)
		})
		c := stored(t, dir)
		c.atMostOnce(t, s.next)
		if n := p.metric("nfcap_stored_records_total"); n != len(c.numbers) {
			t.Errorf("%s: %d records are in the files, %d are called stored", when, len(c.numbers), n)
		}
	}
	balance("while the disk is full")
	// a slot that ends, and one that begins, while there is no room
	p.signal(syscall.SIGUSR1)
	s.send(20)
	balance("after the end of a slot")
	check(t, os.Remove(filler))
	eventually(t, "nfcap is well again", func() bool {
		s.send(1)
		code, _ := p.get("/healthz")
		return code == http.StatusOK
	})
	failed := p.metric("nfcap_not_stored_records_total")
	s.send(100)
	balance("when there is room again")
	if n := p.metric("nfcap_not_stored_records_total"); n != failed {
		t.Errorf("%d records were not stored though there was room", n-failed)
	}
	if code := p.stop(); code != 1 {
		t.Errorf("exit code %d, want 1: records are missing", code)
	}
	p.says(", Not Stored: ", "records could not be stored")
	c := stored(t, dir)
	c.complete(t)
	if len(c.numbers) != int(s.next)-failed {
		t.Errorf("%d records, want %d", len(c.numbers), int(s.next)-failed)
	}
	if n := strings.Count(p.stderr.String(), "no space left on device"); n > 10 {
		t.Errorf("it was said %d times", n)
	}
}

// With -M, a sender whose directory cannot be made is taken when it can be.
func TestDiskFullForNewSource(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "256k")
	p := start(t, "-M", dir)
	filler := fill(t, dir)
	s := exporter(t, p, "")
	eventually(t, "the sender is refused", func() bool {
		s.send(1)
		return p.metric("nfcap_refused_packets_total") > 0
	})
	eventually(t, "that is said", func() bool {
		said := p.stderr.String()
		return strings.Contains(said, "127.0.0.1: packets are refused: ") && strings.Contains(said, "no space left on device")
	})
	check(t, os.Remove(filler))
	eventually(t, "the sender is taken", func() bool {
		s.send(1)
		n, _ := p.tryMetric("nfcap_stored_records_total")
		return n > 0
	})
	p.well()
}
