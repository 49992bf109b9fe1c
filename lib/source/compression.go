package source

import (
	"bufio"
	"compress/bzip2"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// maxWindow bounds what a decompressor keeps of the past. The largest that the
// usual programs ask of a reader is 128 MiB (zstd --long; xz -9 takes 64 MiB).
const maxWindow = 128 << 20

type compression struct {
	name string
	// open reads at most the header. The second result may be nil.
	open func(*bufio.Reader) (io.Reader, func() error, error)
}

var (
	gzipped  = compression{"gzip", openGzip}
	zstdized = compression{"zstd", openZstd}
	xzed     = compression{"xz", openXz}
	lz4ed    = compression{"lz4", openLz4}
	bzipped  = compression{"bzip2", openBzip2}
)

// compressionOf is nil when head begins no compressed file. zstd and lz4 share
// the skippable frames 0x184d2a50 to 5f; zstd's reader skips them for both,
// and lz4's content after one is not known to occur.
func compressionOf(head []byte) *compression {
	has := func(prefix string) bool {
		return len(head) >= len(prefix) && string(head[:len(prefix)]) == prefix
	}
	switch {
	case has("\x1f\x8b\x08"):
		return &gzipped
	case has("\x28\xb5\x2f\xfd"), len(head) >= 4 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18":
		return &zstdized
	case has("\xfd7zXZ\x00"):
		return &xzed
	case has("\x04\x22\x4d\x18"), has("\x02\x21\x4c\x18"):
		return &lz4ed
	case has("BZh") && len(head) >= 10 && '1' <= head[3] && head[3] <= '9' &&
		(string(head[4:10]) == "1AY&SY" || string(head[4:10]) == "\x17\x72\x45\x38\x50\x90"):
		return &bzipped
	}
	return nil
}

// couldBeLonger says that four bytes are not enough to tell.
func couldBeLonger(head []byte) bool {
	s := string(head)
	return s == "\xfd7zX" || len(s) == 4 && s[:3] == "BZh"
}

func openGzip(r *bufio.Reader) (io.Reader, func() error, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, nil, err
	}
	return z, nil, nil // its Close does nothing but repeat the last error
}

func openZstd(r *bufio.Reader) (io.Reader, func() error, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
	if err != nil {
		return nil, nil, err
	}
	return z, func() error { z.Close(); return nil }, nil
}

func openXz(r *bufio.Reader) (io.Reader, func() error, error) {
	// The library takes DictCap as the least; xzGuard holds the most.
	z, err := xz.ReaderConfig{DictCap: 1 << 16}.NewReader(&xzGuard{r: r})
	return z, nil, err
}

func openLz4(r *bufio.Reader) (io.Reader, func() error, error) {
	return &lz4Frames{r: r, z: lz4.NewReader(r)}, nil, nil
}

func openBzip2(r *bufio.Reader) (io.Reader, func() error, error) {
	return bzip2.NewReader(r), nil, nil
}

// lz4Frames reads one frame after another, as cat a.lz4 b.lz4 gives them; the
// library's reader stops after the first.
type lz4Frames struct {
	r *bufio.Reader
	z *lz4.Reader
}

func (f *lz4Frames) Read(p []byte) (int, error) {
	for {
		n, err := f.z.Read(p)
		if n > 0 && err == io.EOF {
			return n, nil
		}
		if n > 0 || err != io.EOF {
			return n, err
		}
		if _, err := f.r.Peek(1); err != nil {
			return 0, err
		}
		f.z.Reset(f.r)
	}
}
