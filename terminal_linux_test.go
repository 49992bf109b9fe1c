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

// atTerminal runs a pipeline whose output goes to a terminal: r.stdout is what it shows.
func atTerminal(t *testing.T, line string, input []byte) (r result) {
	t.Helper()
	master, slave := openTerminal(t)
	shown := make(chan []byte)
	go func() {
		var all bytes.Buffer
		io.Copy(&all, master) // ends with EIO when the program's side is closed
		shown <- bytes.ReplaceAll(all.Bytes(), []byte("\r\n"), []byte("\n"))
	}()
	p := shell(t, line)
	p.terminal = slave
	r = p.run(input)
	slave.Close()
	r.stdout = <-shown
	return r
}

// At a terminal every tool shows text; a stream never goes there.
func TestTerminalGetsText(t *testing.T) {
	each(t, func(t *testing.T, s subject, input []byte) {
		r := atTerminal(t, s.args, input)
		text := r.stdout
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

// nfcat --columns lists those fields there, in their order; compressed text is not to be had.
func TestTerminalColumns(t *testing.T) {
	needs(t, "nfcat", "nfpcap", "nfagg")
	input := sample(t, "stream")
	for _, c := range []struct{ columns, mode string }{
		{"dstip,bytes", "fmt:%da %byt"},
		{"proto,port,duration", "fmt:%pr %sp %dp %td"},
		{"sourceIPv4Address,0/1", "fmt:%{sourceIPv4Address} %{0/1}"},
	} {
		p := &pipeline{stages: [][]string{{"nfagg", "-o", c.mode}}}
		want, _, _ := bytes.Cut(p.run(input).well(t, c.mode).stdout, []byte("Summary:"))
		r := atTerminal(t, "nfcat --columns "+c.columns, input).well(t, c.columns)
		if !bytes.Equal(r.stdout, want) || bytes.Count(want, []byte("\n")) < 2 {
			t.Errorf("--columns %s shows\n%s\nwant\n%s", c.columns, r.stdout, want)
		}
	}
	for _, args := range []string{"-z", "-z zstd", "-y"} {
		r := atTerminal(t, "nfcat "+args, input)
		if r.err != nil || r.codes[0] != 2 || len(r.stdout) > 0 || !bytes.Contains(r.stderr, []byte("\nhint: ")) {
			t.Errorf("nfcat %s: %v, exit code %s, stdout %q, stderr %q", args, r.err, join(r.codes), r.stdout, r.stderr)
		}
	}
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
