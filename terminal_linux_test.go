package nfpipe_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal makes a pair of terminals: what is written to the one for a
// program is read from the other.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no terminal to be had: /dev/ptmx: %v", err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// At a terminal every tool shows text; a stream never goes there.
func TestTerminalGetsText(t *testing.T) {
	each(t, func(t *testing.T, s subject, input []byte) {
		master, slave := openTerminal(t)
		shown := make(chan []byte)
		go func() {
			var all bytes.Buffer
			io.Copy(&all, master) // ends with EIO when the program's side is closed
			shown <- all.Bytes()
		}()
		p := shell(t, s.args)
		p.terminal = slave
		r := p.run(input)
		slave.Close()
		text := <-shown
		if r.err != nil || r.codes[0] != 0 {
			t.Errorf("%v, exit code %s, stderr %q", r.err, join(r.codes), r.stderr)
		}
		if bytes.ContainsFunc(text, func(c rune) bool { return c < ' ' && !strings.ContainsRune("\n\r\t\x1b", c) || c == 0xfffd }) {
			t.Errorf("the terminal got %q", text)
		}
		if len(text) == 0 && !strings.Contains(s.args, "-v") {
			t.Error("the terminal got nothing")
		}
	})
}

// A tool that would wait for a person to type a stream says so.
func TestTerminalIsNoInput(t *testing.T) {
	each(t, func(t *testing.T, s subject, _ []byte) {
		_, slave := openTerminal(t)
		defer slave.Close()
		p := shell(t, s.args)
		p.in = slave.Name()
		r := p.run(nil)
		r.said(t, "stdin is a terminal", s, 2)
		if !bytes.Contains(r.stderr, []byte("\nhint: ")) {
			t.Errorf("stderr %q", r.stderr)
		}
	})
}
