package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"nfpipe/lib/flow"
	"nfpipe/lib/stream"
)

// realCaptures are the larger captures of real programs and networks among the test data beside the checkout: made
// data may be easier to store than traffic is.
var realCaptures = []string{
	"composite/dev-overlap.pcap", "drill/pcap__synscan.pcap", "zeek/echo-connections.pcap",
	"snabb/ipfix__tests__sanitized4k_truncated128.pcap", "mercury/surfshark.pcap", "fpcap/linux-cooked-unsw-nb15.pcap",
}

// realName is what --only selects the table by.
const realName = "real captures"

// stored is how many records a program made of a capture, and the octets of its files.
type stored struct {
	records int
	size    int64
}

func (s stored) String() string {
	if s.records == 0 {
		return fmt.Sprintf("%9s %9s", "-", "-")
	}
	return fmt.Sprintf("%9d %9.2f", s.records, float64(s.size)/float64(s.records))
}

// reportReal prints what a record of each capture takes in our format and in nfdump's. Each program's own records
// count, for they end flows at different times.
func (h *harness) reportReal(w io.Writer, captures string, names []string) error {
	if _, err := os.Stat(captures); errors.Is(err, fs.ErrNotExist) || !h.tools.have["nfpcap"] || !h.tools.have["nfcat"] {
		_, err := fmt.Fprintf(w, "no sizes of real captures: %s, nfpcap or nfcat is not there\n\n", captures)
		return err
	}
	fmt.Fprintf(w, "%-52s %19s %19s %19s\n%-52s", "", "nfpipe", "zstd", "nfdump lz4", realName)
	for range 3 {
		fmt.Fprintf(w, " %9s %9s", "records", "B/record")
	}
	fmt.Fprintln(w)
	for _, name := range names {
		capture := filepath.Join(captures, filepath.FromSlash(name))
		ours, packed, err := h.storeOurs(capture)
		if err != nil {
			return err
		}
		peer, err := h.storeNfdump(capture)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%-52s %s %s %s\n", name, ours, packed, peer)
	}
	_, err := fmt.Fprintln(w)
	return err
}

// storeOurs meters a capture into a file of our format, and compresses that.
func (h *harness) storeOurs(capture string) (plain, zstd stored, err error) {
	if plain, err = h.store("nfpcap -r '"+capture+"'", "real.nf"); err == nil {
		zstd, err = h.store("nfcat -r out/real.nf -z zstd", "real.zstd.nf")
	}
	return plain, zstd, err
}

func (h *harness) store(line, name string) (stored, error) {
	name = filepath.Join(h.dir, "out", name)
	if _, err := h.tools.execute(h.dir, line, name, false); err != nil {
		return stored{}, err
	}
	file, err := os.Open(name)
	if err != nil {
		return stored{}, err
	}
	defer file.Close()
	s := stored{}
	err = stream.NewReader(file, stream.Options{Lazy: true}).Each(func(b *flow.Batch) error {
		s.records += b.N
		return nil
	})
	if err == nil {
		s.size, err = fileSize(name)
	}
	return s, err
}

// storeNfdump meters a capture into files of nfdump's, one for each five minutes, compressed by LZ4.
func (h *harness) storeNfdump(capture string) (stored, error) {
	if !h.tools.have["nfpcapd"] || !h.tools.have["nfdump"] {
		return stored{}, nil
	}
	dir, summary := filepath.Join(h.dir, "out", "real"), filepath.Join(h.dir, "out", "real.txt")
	if err := firstError(os.RemoveAll(dir), os.Mkdir(dir, 0o777)); err != nil {
		return stored{}, err
	}
	if _, err := h.tools.execute(h.dir, "nfpcapd -r '"+capture+"' -w out/real -y && nfdump -R out/real -o null", summary, false); err != nil {
		return stored{}, err
	}
	text, err := os.ReadFile(summary)
	if err != nil {
		return stored{}, err
	}
	var s stored
	_, after, _ := bytes.Cut(text, []byte(" processed: "))
	if _, err := fmt.Sscan(string(after), &s.records); err != nil {
		return stored{}, fmt.Errorf("no number of records in %q", text)
	}
	s.size, err = totalSize(filepath.Join(dir, "nfcapd.*"))
	return s, err
}
