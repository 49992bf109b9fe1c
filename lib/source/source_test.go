package source_test

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"nfpipe/lib/source"
)

// Made by bzip2 -9 and by xz --block-size=64 --check=sha256, because there is
// no Go writer for the one, and the other's writer makes only single blocks.
const (
	bzip2Flow  = "425a68393141592653591bc57cd1000004d1800010400001048080200030c004534695204d4e4a9e2ee48a70a120378af9a2"
	bzip2Empty = "425a683917724538509000000000"
	xzBlocks   = "fd377a585a00000ae1fb0ca10200210116000000742fe5a3e0003f00215d00361a4a1f08a02bb16d069df8b28a224518b37212d52d72af2da32e51de65064d000000000023592341d08f3d26a9ef7316d1e029f088b0a40bb51504ca81bf38066e181cd90200210116000000742fe5a3e0003f001e5d003799800641be10f1ef1d1ee572b921e6305c4626746db9289d7c37959c00000000d8bbc59e3a0f4a22c388d5f3674382d0505602b0b992e9b35c5a9703a83181210200210116000000742fe5a3e0003e00215d003a194b780f58e4be67f086a23aff1fe36cef09be248b6ba3108b73556d1f13400000000000f49bc6eda0d0d9ab77fe43d645af3a1b06098228f65e9f8406cdfaaa71ca22e9000355405240553f3cca4e30b6e9df1c02000000000a595a"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// packed returns data in every compression that a writer exists for.
func packed(t testing.TB, data []byte) map[string][]byte {
	t.Helper()
	made := map[string][]byte{"": data}
	pack := func(name string, open func(io.Writer) (io.WriteCloser, error)) {
		var b bytes.Buffer
		w, err := open(&b)
		if err == nil {
			_, err = w.Write(data)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		made[name] = b.Bytes()
	}
	pack("gzip", func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
	pack("zstd", func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
	pack("xz", func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) })
	pack("lz4", func(w io.Writer) (io.WriteCloser, error) { return lz4.NewWriter(w), nil })
	return made
}

func TestEveryCompressionReadsAsItsContent(t *testing.T) {
	data := []byte(source.StreamMagic + strings.Repeat("a flow and another; ", 20000))
	for name, bytesOf := range packed(t, data) {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, bytesOf, 0o666); err != nil {
			t.Fatal(err)
		}
		in, err := source.Open(path, nil)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if in.Compression != name || in.Kind != source.Stream || in.Size != int64(len(bytesOf)) {
			t.Errorf("%q: compression %q, kind %v, size %d of %d", name, in.Compression, in.Kind, in.Size, len(bytesOf))
		}
		if seekable := in.File() != nil; seekable != (name == "") {
			t.Errorf("%q: seekable is %v", name, seekable)
		}
		if in.Compression == "" && in.Consumed() != 0 {
			t.Errorf("consumed %d before reading", in.Consumed())
		}
		if err := iotest.TestReader(in, data); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if in.Consumed() != in.Size {
			t.Errorf("%q: consumed %d of %d", name, in.Consumed(), in.Size)
		}
		if err := in.Close(); err != nil {
			t.Errorf("%q: close: %v", name, err)
		}
	}
}

// cat a.gz b.gz is a valid gzip file, and so for the others.
func TestConcatenated(t *testing.T) {
	one := []byte(source.StreamMagic + "one")
	files := packed(t, one)
	for name, bytesOf := range files {
		in, err := source.New("x", io.MultiReader(bytes.NewReader(bytesOf), bytes.NewReader(bytesOf)))
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		got, err := io.ReadAll(in)
		if want := string(one) + string(one); string(got) != want || err != nil {
			t.Errorf("%q: got %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestFilesOfOtherPrograms(t *testing.T) {
	var lines strings.Builder
	for _, n := range strings.Fields("1 2 3 4 5 6 7 8 9 10") {
		lines.WriteString("line " + n + " of the text\n")
	}
	for _, c := range []struct {
		name, hex, want string
		kind            source.Kind
	}{
		{"bzip2", bzip2Flow, "flow flow flow flow flow\n", source.Text},
		{"bzip2", bzip2Empty, "", source.Empty},
		{"bzip2", bzip2Flow + bzip2Flow, strings.Repeat("flow flow flow flow flow\n", 2), source.Text},
		{"xz", xzBlocks, lines.String(), source.Text},
		{"xz", xzBlocks + "00000000" + xzBlocks, lines.String() + lines.String(), source.Text},
	} {
		in, err := source.New("x", bytes.NewReader(unhex(t, c.hex)))
		if err != nil {
			t.Errorf("%s %.20s…: %v", c.name, c.hex, err)
			continue
		}
		got, err := io.ReadAll(in)
		if err != nil || string(got) != c.want || in.Kind != c.kind || in.Compression != c.name {
			t.Errorf("%s %.20s…: %q, %v, kind %v in %q, want %q", c.name, c.hex, got, err, in.Kind, in.Compression, c.want)
		}
	}
}

// A compressed file that was cut anywhere says so; it never reads as a whole.
func TestCutAtEveryByte(t *testing.T) {
	files := packed(t, []byte(source.StreamMagic+"a few words that are cut"))
	delete(files, "")
	files["bzip2"] = unhex(t, bzip2Flow)
	files["xz blocks"] = unhex(t, xzBlocks)
	for name, whole := range files {
		for n := range whole {
			in, err := source.New("x", bytes.NewReader(whole[:n]))
			if err == nil && in.Compression != "" {
				_, err = io.ReadAll(in)
				if !errors.Is(err, source.ErrCorrupt) {
					t.Errorf("%s cut at %d of %d: %v", name, n, len(whole), err)
				}
				if cerr := in.Close(); cerr != nil {
					t.Errorf("%s cut at %d: close: %v", name, n, cerr)
				}
			}
			if err != nil && !strings.HasPrefix(err.Error(), "x: ") {
				t.Errorf("%s cut at %d: %q does not name the input", name, n, err)
			}
		}
	}
}

func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		head string
		want source.Kind
	}{
		{"", source.Empty},
		{"\x8eNFS\x01", source.Stream},
		{"\x8eNF", source.Stream}, // cut off
		{"\x8eNX", source.Unknown},
		{"\xd4\xc3\xb2\xa1\x02\x00", source.Pcap},
		{"\xa1\xb2\x3c\x4d", source.Pcap},
		{"\x0a\x0d\x0d\x0a\x1c\x00", source.Pcapng},
		{"\x0c\xa5\x02\x00\x00\x08", source.Nfdump},
		{"\x0c\xa5\x09\x00", source.Unknown},
		{"ts,te,sa\n1,2,3\n", source.Text},
		{"é\n", source.Text},
		{"\xc3", source.Text}, // the rest of the letter is yet to come
		{"a\x00b", source.Unknown},
		{"\xff\xfe", source.Unknown},
	} {
		if got := source.KindOf([]byte(c.head)); got != c.want {
			t.Errorf("%q: %v, want %v", c.head, got, c.want)
		}
	}
}

func TestStdin(t *testing.T) {
	in, err := source.Open("-", strings.NewReader("hello"))
	if err != nil || in.Name != "stdin" || in.Kind != source.Text || in.Size != -1 || in.File() != nil {
		t.Fatalf("%+v, %v", in, err)
	}
	in, err = source.Open("-", strings.NewReader(""))
	if err != nil || in.Kind != source.Empty {
		t.Fatalf("no input: kind %v, %v", in.Kind, err)
	}
	if n, err := in.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("no input: %d, %v", n, err)
	}
}

// A file that is stdin, and was read in part by someone else, begins where it
// stands.
func TestFileFromWhereItStands(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	os.WriteFile(path, []byte("skip"+source.StreamMagic+"rest"), 0o666)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.Seek(4, io.SeekStart)
	in, err := source.Open("-", f)
	if err != nil || in.Kind != source.Stream || in.File() != f || in.Size != 8 {
		t.Fatalf("%+v, %v", in, err)
	}
	if at, _ := f.Seek(0, io.SeekCurrent); at != 4 {
		t.Errorf("the file stands at %d, want 4", at)
	}
	if got, _ := io.ReadAll(in); string(got) != source.StreamMagic+"rest" {
		t.Errorf("read %q", got)
	}
}

// A live pipe gives few bytes and then nothing for a while.
func TestDoesNotWaitForMoreThanItNeeds(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close() // only after New has returned
	w.WriteString(source.StreamMagic)
	in, err := source.New("pipe", r)
	if err != nil || in.Kind != source.Stream {
		t.Fatalf("%+v, %v", in, err)
	}
}

func TestErrorsNameTheInput(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "none"), filepath.Join(dir, "none") + ": no such file or directory"},
		{dir, dir + ": is a directory"},
	} {
		if _, err := source.Open(c.path, nil); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
		}
	}
	bad := errors.New("broken disk")
	for name, whole := range packed(t, bytes.Repeat([]byte("many words "), 1000)) {
		for _, n := range []int{0, 3, len(whole) / 2} {
			in, err := source.New("x", io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(bad)))
			if err == nil {
				_, err = io.ReadAll(in)
			}
			if !errors.Is(err, bad) || errors.Is(err, source.ErrCorrupt) {
				t.Errorf("%q, read error after %d bytes: %v", name, n, err)
			}
		}
	}
}

// The dictionary that a block header asks for is checked before anything is
// allocated for it, in the first block and in later ones.
func TestXzDictionaryIsBounded(t *testing.T) {
	whole := unhex(t, xzBlocks)
	header := unhex(t, "0200210116000000742fe5a3")
	first := bytes.Index(whole, header)
	second := first + 1 + bytes.Index(whole[first+1:], header)
	for _, at := range []int{first, second} {
		bomb := bytes.Clone(whole)
		bomb[at+4] = 40 // 4 GiB
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		in, err := source.New("x", bytes.NewReader(bomb))
		if err == nil {
			_, err = io.ReadAll(in)
		}
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "dictionary of 4096 MiB") {
			t.Errorf("block header at %d: %v", at, err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
			t.Errorf("block header at %d: allocated %d MiB", at, grown>>20)
		}
	}
}

func FuzzNew(f *testing.F) {
	for _, b := range packed(f, []byte(source.StreamMagic+"seed")) {
		f.Add(b)
	}
	f.Add(unhex(f, bzip2Flow))
	f.Add(unhex(f, xzBlocks))
	f.Add([]byte("\x50\x2a\x4d\x18\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := source.New("fuzz", bytes.NewReader(data))
		if err != nil {
			return
		}
		defer in.Close()
		n, err := io.Copy(io.Discard, io.LimitReader(in, 1<<20))
		if in.Compression == "" && (n != min(int64(len(data)), 1<<20) || err != nil) {
			t.Errorf("%d plain bytes read as %d, %v", len(data), n, err)
		}
		if in.Consumed() > int64(len(data)) {
			t.Errorf("consumed %d of %d", in.Consumed(), len(data))
		}
	})
}
