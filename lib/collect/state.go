package collect

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"nfpipe/lib/netflow"
	"nfpipe/lib/stream"
)

// stateFile is what is kept of the exporters of a source.
type stateFile struct {
	Version   int             `json:"version"`
	Tables    []byte          `json:"tables"` // a stream of the side tables
	Exporters []exporterState `json:"exporters"`
}

type exporterState struct {
	Address netip.Addr      `json:"address"`
	Domains []netflow.State `json:"domains"`
}

const (
	stateVersion = 1
	maxState     = 256 << 20 // bytes of a file
)

// LoadState reads what an earlier run kept. A file that is not there is none.
func (s *Source) LoadState() error {
	f, err := os.Open(s.State)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var in stateFile
	if err := json.NewDecoder(io.LimitReader(f, maxState)).Decode(&in); err != nil {
		return fmt.Errorf("%s: %w", s.State, err)
	}
	if in.Version != stateVersion {
		return fmt.Errorf("%s: version %d, want %d", s.State, in.Version, stateVersion)
	}
	s.restored = map[netip.Addr][]netflow.State{}
	for _, x := range in.Exporters {
		s.restored[x.Address] = append(s.restored[x.Address], x.Domains...)
	}
	if err := s.tables.read(in.Tables); err != nil {
		return fmt.Errorf("%s: side tables: %w", s.State, err)
	}
	s.saved = s.tables.Changes()
	return nil
}

// sideTables are those in force, as a stream.
type sideTables struct{ stream.Tables }

func (t *sideTables) read(p []byte) error {
	for r := stream.NewReader(bytes.NewReader(p), stream.Options{Name: "state"}); len(p) > 0; {
		it, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil && it.Kind == stream.KindSide {
			err = t.Add(*it.Table)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *sideTables) bytes() ([]byte, error) {
	var out bytes.Buffer
	w := stream.NewWriter(&out)
	w.Head(stream.Head{})
	for _, table := range t.All() {
		w.Table(table)
	}
	err := w.End(stream.End{}) // the first error sticks
	return out.Bytes(), err
}

// restore gives a new exporter what an earlier run knew of it.
func (w *worker) restore(x *exporter, now int64) {
	s := x.source
	s.mu.Lock()
	states := s.restored[x.addr]
	s.mu.Unlock()
	x.netflow.Restore(states, now)
}

// heard is an exporter of this run.
type heard struct {
	w *worker
	x *exporter
}

// SaveState writes the state files of all sources of which something new is known.
func (c *Collector) SaveState() {
	c.saving.Lock()
	defer c.saving.Unlock()
	of := map[*Source][]heard{}
	now := int64(0)
	for _, w := range c.workers {
		w.mu.Lock()
		now = max(now, w.now)
		for _, x := range w.exporters {
			if x.netflow == nil || x.source.State == "" {
				continue
			}
			of[x.source] = append(of[x.source], heard{w, x})
			if n := x.netflow.Changes(); n != x.saved {
				x.saved, x.source.unsaved = n, true
			}
		}
		w.mu.Unlock()
	}
	for _, s := range c.config.Sources.all() {
		s.mu.Lock()
		changes := s.tables.Changes()
		s.mu.Unlock()
		if s.State == "" || !s.unsaved && changes == s.saved {
			continue
		}
		err := c.writeState(s, of[s], now)
		if s.saved, s.unsaved = changes, err != nil; err != nil && c.failures.allow(time.Now().UnixNano()) {
			c.logf("%s: %v", s.Ident, err)
		}
	}
}

// writeState replaces a state file as a whole.
func (c *Collector) writeState(s *Source, of []heard, now int64) error {
	name := s.State + ".new"
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	err = c.encodeState(w, s, of, now)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(name, s.State)
	}
	if err != nil {
		os.Remove(name)
	}
	return err
}

// encodeState writes a stateFile, one exporter after the other: there may be many.
func (c *Collector) encodeState(w io.Writer, s *Source, of []heard, now int64) error {
	s.mu.Lock()
	tables, err := s.tables.bytes()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	head, err := json.Marshal(tables)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, `{"version":%d,"tables":%s,"exporters":[`, stateVersion, head)
	between := ""
	put := func(a netip.Addr, domains []netflow.State) {
		if err != nil || len(domains) == 0 {
			return
		}
		var b []byte
		if b, err = json.Marshal(exporterState{a, domains}); err == nil {
			_, err = fmt.Fprintf(w, "%s\n%s", between, b)
			between = ","
		}
	}
	for _, h := range of {
		h.w.mu.Lock()
		state := h.x.netflow.State()
		h.w.mu.Unlock()
		put(h.x.addr, state)
	}
	for a, domains := range s.unheard(of, now-int64(c.config.Lifetime)) {
		put(a, domains)
	}
	if err == nil {
		_, err = io.WriteString(w, "]}\n")
	}
	return err
}

// unheard is what is known of exporters that were not heard in this run, as long as a template
// of theirs can be used.
func (s *Source) unheard(of []heard, since int64) map[netip.Addr][]netflow.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range of {
		delete(s.restored, h.x.addr)
	}
	for a, domains := range s.restored {
		young := false
		for _, d := range domains {
			for _, t := range d.Templates {
				young = young || t.Learned >= since
			}
		}
		if !young {
			delete(s.restored, a)
		}
	}
	return s.restored
}
