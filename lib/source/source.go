package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
)

const (
	// sniff is how much the longest magic needs (bzip2's).
	sniff = 10
	// bufferSize holds what a small read leaves; larger reads go past it.
	bufferSize = 64 << 10
)

// Input is an opened file or stdin. It reads as the uncompressed bytes.
type Input struct {
	Name        string // for messages; "stdin" for "-"
	Kind        Kind
	Compression string // "gzip", "zstd", "xz", "lz4", "bzip2" or ""
	Size        int64  // bytes of the file as it lies on disk, -1 if not known

	reader   io.Reader
	file     *os.File  // set when Read may be replaced by seeking
	pipe     discarder // set when the uncompressed bytes come from a pipe
	consumed atomic.Int64
	broken   error // what the file itself could not be read for
	start    int64
	closers  []func() error
}

// ErrCorrupt is what the errors of Open, New and Read are when the compressed
// data is at fault, because it was cut off or changed, and not the reading.
var ErrCorrupt = errors.New("corrupt")

// Open opens the file with this name, or takes stdin for "-". Errors name the
// input.
func Open(name string, stdin io.Reader) (*Input, error) {
	if name == "-" {
		return New("stdin", stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, cause(err))
	}
	in, err := New(name, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	in.closers = append(in.closers, f.Close)
	return in, nil
}

// New looks at the first bytes of r, which stays the caller's to close. A
// regular *os.File is read from where it stands.
func New(name string, r io.Reader) (*Input, error) {
	in := &Input{Name: name, Size: -1}
	if f, ok := r.(*os.File); ok {
		if err := in.stat(f); err != nil {
			return nil, fmt.Errorf("%s: %w", name, cause(err))
		}
	}
	buffered := bufio.NewReaderSize(&counter{r, in}, bufferSize)
	head, err := peek(buffered)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, cause(err))
	}
	in.reader = buffered
	if c := compressionOf(head); c != nil {
		in.Compression = c.name
		if err := in.decompress(c, buffered); err != nil {
			return nil, err
		}
		return in, nil
	}
	in.Kind = KindOf(head)
	if in.file == nil {
		in.pipe = pipeOf(r)
	}
	return in, in.rewind()
}

// stat learns size and position of a regular file.
func (in *Input) stat(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New("is a directory")
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	in.start, err = f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	in.Size = max(0, info.Size()-in.start)
	in.file = f
	return nil
}

// rewind takes an uncompressed file back to before the first bytes, and reads
// it without a buffer from there on.
func (in *Input) rewind() error {
	if in.file == nil {
		return nil
	}
	if _, err := in.file.Seek(in.start, io.SeekStart); err != nil {
		return fmt.Errorf("%s: %w", in.Name, cause(err))
	}
	in.consumed.Store(0)
	in.reader = &counter{in.file, in}
	return nil
}

// decompress puts c's reader over the bytes and looks at what comes out.
func (in *Input) decompress(c *compression, r *bufio.Reader) error {
	in.file = nil
	z, closer, err := c.open(r)
	if err != nil {
		return in.explain(unexpected(err))
	}
	if closer != nil {
		in.closers = append(in.closers, closer)
	}
	out := bufio.NewReaderSize(&unpacked{z, in}, bufferSize)
	head, err := peek(out)
	if err != nil {
		in.Close()
		return err
	}
	in.Kind = KindOf(head)
	in.reader = out
	return nil
}

// peek waits for as many bytes as the longest magic has, and looks at those
// that came with them.
func peek(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(4)
	if err == nil && couldBeLonger(head) {
		_, err = r.Peek(sniff)
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	head, _ = r.Peek(min(r.Buffered(), 512))
	return head, nil
}

// Read reads the uncompressed bytes.
func (in *Input) Read(p []byte) (int, error) { return in.reader.Read(p) }

// File is the open file when it is regular and not compressed, standing where
// Read stands, and nil otherwise. It may be read and seeked in place of Read.
func (in *Input) File() *os.File { return in.file }

// Consumed is how many bytes of the file, compressed as they lie there, were
// read so far by Read: what progress is measured in, against Size.
func (in *Input) Consumed() int64 { return in.consumed.Load() }

// Close gives back decompressor and file. Stdin stays open.
func (in *Input) Close() error {
	var first error
	for _, c := range in.closers {
		if err := c(); first == nil && err != nil {
			first = fmt.Errorf("%s: %w", in.Name, cause(err))
		}
	}
	in.closers = nil
	return first
}

// counter reads the file as it lies on disk.
type counter struct {
	r  io.Reader
	in *Input
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.in.consumed.Add(int64(n))
	if err != nil && err != io.EOF {
		c.in.broken = err
	}
	return n, err
}

// unpacked says in an error which input and which decompressor it comes from.
type unpacked struct {
	r  io.Reader
	in *Input
}

func (z *unpacked) Read(p []byte) (int, error) {
	n, err := z.r.Read(p)
	if err != nil && err != io.EOF {
		err = z.in.explain(err)
	}
	return n, err
}

// explain names the input, and the decompressor unless the error does.
func (in *Input) explain(err error) error {
	if in.broken != nil {
		return fmt.Errorf("%s: %w", in.Name, cause(in.broken))
	}
	if strings.HasPrefix(err.Error(), in.Compression+": ") {
		return &corrupt{fmt.Errorf("%s: %w", in.Name, err)}
	}
	return &corrupt{fmt.Errorf("%s: %s: %w", in.Name, in.Compression, err)}
}

// corrupt makes an error ErrCorrupt without a word more.
type corrupt struct{ error }

func (c *corrupt) Unwrap() []error { return []error{c.error, ErrCorrupt} }

// unexpected is for a header that ends too soon: that is no orderly end.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// cause drops "open x:" from an error, for the message has the name already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
