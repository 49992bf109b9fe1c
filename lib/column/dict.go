package column

import "slices"

// Builder collects one column's values in the order of its records. The zero value is not
// ready: Reset gives it its kind. It holds at most MaxValues values.
type Builder struct {
	v     Vec
	addrs addrs
}

// Reset empties b and sets its kind; memory is kept.
func (b *Builder) Reset(k Kind) {
	b.v.Reset(k)
	b.addrs.reset()
	if k == Bytes {
		b.v.Off = append(b.v.Off, 0)
	}
}

// Len is the number of values so far; Size the bytes that they hold.
func (b *Builder) Len() int {
	switch b.v.Kind {
	case Int:
		return len(b.v.Ints)
	case Addr:
		return len(b.addrs.all)
	}
	return len(b.v.Off) - 1
}

func (b *Builder) Size() int {
	return 8*len(b.v.Ints) + b.addrs.size() + len(b.v.Data) + 4*len(b.v.Off)
}

// PutInt appends a number.
func (b *Builder) PutInt(x uint64) { b.v.Ints = append(b.v.Ints, x) }

// PutBytes appends a copy of s.
func (b *Builder) PutBytes(s []byte) {
	b.v.Data = append(b.v.Data, s...)
	b.v.Off = append(b.v.Off, uint32(len(b.v.Data)))
}

// Vec finishes the column and returns it. It is valid until the next Reset, which must come
// before further values.
func (b *Builder) Vec() *Vec {
	v := &b.v
	switch v.Kind {
	case Int:
		v.N = len(v.Ints)
	case Bytes:
		b.finishBytes()
	case Addr:
		b.finishAddrs()
	}
	return v
}

// finishBytes makes a dictionary when at least half of the values repeat one before.
func (b *Builder) finishBytes() {
	v := &b.v
	n := len(v.Off) - 1
	v.N, v.Form = n, Plain
	if n < 2 {
		return
	}
	index := make(map[string]uint16)
	codes := make([]uint16, n)
	for i := range n {
		s := v.Data[v.Off[i]:v.Off[i+1]]
		c, ok := index[string(s)]
		if !ok {
			if len(index)*2 >= n {
				return
			}
			c = uint16(len(index))
			index[string(s)] = c
		}
		codes[i] = c
	}
	sorted := make([]string, 0, len(index))
	for s := range index {
		sorted = append(sorted, s)
	}
	slices.Sort(sorted)
	remap := make([]uint16, len(sorted))
	v.Data, v.Off = v.Data[:0:0], append(v.Off[:0:0], 0)
	for e, s := range sorted {
		remap[index[s]] = uint16(e)
		v.Data = append(v.Data, s...)
		v.Off = append(v.Off, uint32(len(v.Data)))
	}
	if len(sorted) == 1 {
		v.Form = Const
		return
	}
	v.Form = Dict
	for i, c := range codes {
		codes[i] = remap[c]
	}
	v.Codes = codes
}

// Kind is the kind of the values that b collects.
func (b *Builder) Kind() Kind { return b.v.Kind }

// PutEntry appends entry e of v, which has the kind of b.
func (b *Builder) PutEntry(v *Vec, e int) {
	switch v.Kind {
	case Int:
		b.PutInt(v.Ints[e])
	case Addr:
		if e < len(v.V4) {
			b.Put4(v.V4[e])
		} else {
			b.Put6(v.V6[e-len(v.V4)])
		}
	default:
		b.PutBytes(v.BytesEntry(e))
	}
}
