package column

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
)

// MaxValues bounds the values of one column: a code fits in 16 bits.
const MaxValues = 1 << 16

// MaxRaw bounds the bytes of one column before general-purpose compression.
const MaxRaw = 64 << 20

// ErrCorrupt is wrapped by every error that damaged bytes cause.
var ErrCorrupt = errors.New("corrupt column")

func corrupt(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, a...))
}

// Kind is how values are stored.
type Kind uint8

const (
	Int Kind = iota
	Addr
	Bytes
	kinds
)

func (k Kind) String() string { return [...]string{"int", "addr", "bytes", "?"}[min(k, kinds)] }

// Form says how a Vec lays its values out.
type Form uint8

const (
	Plain Form = iota // a value each (Int and Bytes)
	Dict              // sorted distinct entries and a code each
	Const             // one entry for all
)

// V6 is an IPv6 address as two big-endian halves.
type V6 struct{ Hi, Lo uint64 }

// Vec is one column in memory. Entries (the values themselves for Plain, the dictionary
// otherwise) stand in Ints; in V4 followed by V6; or in Data cut at Off, by kind. An Addr
// column is never Plain.
type Vec struct {
	Kind  Kind
	Form  Form
	N     int      // values
	Codes []uint16 // Dict: the entry of each value
	Ints  []uint64
	V4    []uint32
	V6    []V6
	Off   []uint32 // one more than there are entries
	Data  []byte
}

// Entries is the number of entries: N for Plain, 1 for Const, the dictionary's size for Dict.
func (v *Vec) Entries() int {
	switch v.Kind {
	case Int:
		return len(v.Ints)
	case Addr:
		return len(v.V4) + len(v.V6)
	default:
		return max(len(v.Off)-1, 0)
	}
}

// Entry is the entry of value i.
func (v *Vec) Entry(i int) int {
	switch v.Form {
	case Plain:
		return i
	case Dict:
		return int(v.Codes[i])
	default:
		return 0
	}
}

// Int returns value i of an Int column.
func (v *Vec) Int(i int) uint64 { return v.Ints[v.Entry(i)] }

// AddrEntry returns entry e of an Addr column.
func (v *Vec) AddrEntry(e int) netip.Addr {
	var b [16]byte
	if e < len(v.V4) {
		binary.BigEndian.PutUint32(b[:], v.V4[e])
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	a := v.V6[e-len(v.V4)]
	binary.BigEndian.PutUint64(b[:], a.Hi)
	binary.BigEndian.PutUint64(b[8:], a.Lo)
	return netip.AddrFrom16(b)
}

// BytesEntry returns entry e of a Bytes column; it aliases the vector.
func (v *Vec) BytesEntry(e int) []byte { return v.Data[v.Off[e]:v.Off[e+1]:v.Off[e+1]] }

// PackedSize is the bytes that the values take as fields of one width, or codes and entries.
func (v *Vec) PackedSize() int {
	if v.Kind == Int && v.Form == Plain && v.N > 0 {
		lo, hi := minMax(v.Ints)
		return packedLen(v.N, widthOf(hi-lo))
	}
	return packedLen(v.N, widthOf(uint64(max(v.Entries(), 1)-1))) + 8*len(v.Ints) + 4*len(v.V4) + 16*len(v.V6) + len(v.Data)
}

// Reset empties v for reuse, keeping its memory.
func (v *Vec) Reset(k Kind) {
	v.Kind, v.Form, v.N = k, Plain, 0
	v.Codes, v.Ints, v.V4, v.V6, v.Off, v.Data = v.Codes[:0], v.Ints[:0], v.V4[:0], v.V6[:0], v.Off[:0], v.Data[:0]
}

// Size is the memory that the vector holds, in bytes.
func (v *Vec) Size() int {
	return 2*cap(v.Codes) + 8*cap(v.Ints) + 4*cap(v.V4) + 16*cap(v.V6) + 4*cap(v.Off) + cap(v.Data)
}

// Bound is a smallest or largest value: Lo for Int; the address for Addr (Is6 tells the
// family, Lo alone for IPv4); the first 16 bytes, big-endian, zero-filled, for Bytes.
type Bound struct {
	Is6    bool
	Hi, Lo uint64
}

// Compare orders bounds as their values are ordered.
func (a Bound) Compare(b Bound) int {
	if a.Is6 != b.Is6 {
		if b.Is6 {
			return -1
		}
		return 1
	}
	if c := cmp.Compare(a.Hi, b.Hi); c != 0 {
		return c
	}
	return cmp.Compare(a.Lo, b.Lo)
}

// PrefixBound is the bound of a Bytes value: its first 16 bytes; up rounds to the largest
// value that has this prefix when the value is longer.
func PrefixBound(b []byte, up bool) Bound {
	var p [16]byte
	n := copy(p[:], b)
	r := Bound{Hi: binary.BigEndian.Uint64(p[:]), Lo: binary.BigEndian.Uint64(p[8:])}
	if up && n < len(b) {
		if r.Lo++; r.Lo == 0 {
			if r.Hi++; r.Hi == 0 {
				return Bound{Hi: math.MaxUint64, Lo: math.MaxUint64}
			}
		}
	}
	return r
}

// Bounds finds the smallest and largest value.
func (v *Vec) Bounds() (lo, hi Bound) {
	n := v.Entries()
	if n == 0 {
		return
	}
	switch v.Kind {
	case Int:
		if v.Form == Dict {
			return Bound{Lo: v.Ints[0]}, Bound{Lo: v.Ints[n-1]}
		}
		a, b := minMax(v.Ints)
		return Bound{Lo: a}, Bound{Lo: b}
	case Addr:
		return v.addrBound(0), v.addrBound(n - 1)
	default:
		lo, hi = PrefixBound(v.BytesEntry(0), false), PrefixBound(v.BytesEntry(0), true)
		for e := 1; e < n; e++ {
			if p := PrefixBound(v.BytesEntry(e), false); p.Compare(lo) < 0 {
				lo = p
			}
			if p := PrefixBound(v.BytesEntry(e), true); p.Compare(hi) > 0 {
				hi = p
			}
		}
		return lo, hi
	}
}

func (v *Vec) addrBound(e int) Bound {
	if e < len(v.V4) {
		return Bound{Lo: uint64(v.V4[e])}
	}
	a := v.V6[e-len(v.V4)]
	return Bound{Is6: true, Hi: a.Hi, Lo: a.Lo}
}

// minMax keeps four pairs, for each comparison waits for the one before it.
func minMax(v []uint64) (lo, hi uint64) {
	l0, l1, l2, l3 := v[0], v[0], v[0], v[0]
	h0, h1, h2, h3 := l0, l1, l2, l3
	for ; len(v) >= 4; v = v[4:] {
		a, b, c, d := v[0], v[1], v[2], v[3]
		l0, h0 = min(l0, a), max(h0, a)
		l1, h1 = min(l1, b), max(h1, b)
		l2, h2 = min(l2, c), max(h2, c)
		l3, h3 = min(l3, d), max(h3, d)
	}
	for _, x := range v {
		l0, h0 = min(l0, x), max(h0, x)
	}
	return min(l0, l1, l2, l3), max(h0, h1, h2, h3)
}

// FromSigned and Signed map int64 to an image that sorts as the numbers do, and back.
func FromSigned(x int64) uint64 { return uint64(x) ^ 1<<63 }
func Signed(u uint64) int64     { return int64(u ^ 1<<63) }

// FromFloat and Float do the same for float64 (negative values have all bits turned).
func FromFloat(f float64) uint64 {
	u := math.Float64bits(f)
	if u>>63 != 0 {
		return ^u
	}
	return u | 1<<63
}

func Float(u uint64) float64 {
	if u>>63 != 0 {
		return math.Float64frombits(u &^ (1 << 63))
	}
	return math.Float64frombits(^u)
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// Compare orders addresses numerically.
func (a V6) Compare(b V6) int {
	if c := cmp.Compare(a.Hi, b.Hi); c != 0 {
		return c
	}
	return cmp.Compare(a.Lo, b.Lo)
}
