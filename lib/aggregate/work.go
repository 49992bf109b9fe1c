package aggregate

// work is what one goroutine needs to add a batch.
type work struct {
	rows     []int32
	whole    bool // rows are all of the batch
	keys     []keyColumn
	in       counterColumns
	constant [3][]uint64 // zeros, ones, largest numbers
	buffers  [][]uint64  // for values, in use up to used
	used     int
	codes16  [][]uint16
	used16   int
	states   []uint8

	class   []uint32 // local class of each row
	local   []uint64 // code of each local class
	perm    []int32
	words   []uint64 // packed keys
	hashes  []uint64
	records []uint64 // rows on their way to the shards
	dense   dense
	touched uint64 // keeps the compiler from dropping the loads that warm the cache
}

var constants = [3]uint64{0, 1, ^uint64(0)}

func (w *work) fixed(which, n int) []uint64 {
	c := w.constant[which]
	for len(c) < n {
		c = append(c, constants[which])
	}
	w.constant[which] = c
	return c[:n]
}

// buffer is memory for n values until the next batch.
func (w *work) buffer(n int) []uint64 {
	if w.used == len(w.buffers) {
		w.buffers = append(w.buffers, nil)
	}
	b := w.buffers[w.used]
	if cap(b) < n {
		b = make([]uint64, max(n, 1<<12))
		w.buffers[w.used] = b
	}
	w.used++
	return b[:n]
}

// bufferStates is the same for states of entries.
func (w *work) bufferStates(n int) []uint8 {
	if len(w.states)+n > cap(w.states) {
		w.states = make([]uint8, 0, max(2*cap(w.states), n, 1<<14))
	}
	at := len(w.states)
	w.states = w.states[:at+n]
	return w.states[at : at+n : at+n]
}

func (w *work) buffer16(n int) []uint16 {
	if w.used16 == len(w.codes16) {
		w.codes16 = append(w.codes16, nil)
	}
	b := w.codes16[w.used16]
	if cap(b) < n {
		b = make([]uint16, max(n, 1<<12))
		w.codes16[w.used16] = b
	}
	w.used16++
	return b[:n]
}
