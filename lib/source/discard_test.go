package source

import (
	"bytes"
	"io"
	"os"
	"testing"
)

// TestDiscard passes over ranges of every size of a pipe, a file and a buffer, and reads what
// is between.
func TestDiscard(t *testing.T) {
	data := make([]byte, 3<<20)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	path := t.TempDir() + "/data"
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	open := map[string]func() io.Reader{
		"buffer": func() io.Reader { return bytes.NewReader(data) },
		"file": func() io.Reader {
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			return f
		},
		"pipe": func() io.Reader {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { r.Close() })
			go func() {
				w.Write(data)
				w.Close()
			}()
			return r
		},
	}
	for name, r := range open {
		in, err := New(name, r())
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, n := range []int{0, 1, 100, 65536, 7, 70000, 1 << 20, 3} {
			if err := in.Discard(int64(n)); err != nil {
				t.Fatalf("%s: %d bytes at %d: %v", name, n, at, err)
			}
			at += n
			p := make([]byte, 5000)
			if _, err := io.ReadFull(in, p); err != nil || !bytes.Equal(p, data[at:at+5000]) {
				t.Fatalf("%s: at %d: other bytes, %v", name, at, err)
			}
			at += 5000
		}
		if in.Consumed() < int64(at) {
			t.Errorf("%s: %d bytes consumed, %d read", name, in.Consumed(), at)
		}
		if err := in.Discard(4 << 20); err == nil {
			t.Errorf("%s: passed over more than there is", name)
		}
	}
}
