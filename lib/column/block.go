package column

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Comp is the general-purpose compression of a block, after its encoding.
type Comp uint8

const (
	None Comp = iota
	S2
	Zstd
	comps
)

func (c Comp) String() string { return [...]string{"none", "s2", "zstd", "?"}[min(c, comps)] }

// Block is one encoded column.
type Block struct {
	Kind   Kind
	Enc    Enc
	Comp   Comp
	N      int    // values
	Raw    int    // bytes before Comp
	Data   []byte // as stored
	CRC    uint32 // of Data
	Lo, Hi Bound  // smallest and largest value
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum is the CRC-32C of b.
func Checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// Encode encodes v alone. The block owns its memory.
func Encode(v *Vec) Block {
	if v.Kind == Int && v.Form == Plain && v.N > 0 {
		p := profileOf(v.Ints)
		return finishWithin(v, appendProfiled(newBody(), v.Ints, p, 0), Bound{Lo: p.lo}, Bound{Lo: p.hi})
	}
	return finish(v, appendVec(newBody(), v))
}

// newBody is an empty buffer; finish takes it back.
func newBody() []byte { return (*bufPool.Get().(*[]byte))[:0] }

// finish makes a block of an encoding with its leading Enc byte.
func finish(v *Vec, body []byte) Block {
	lo, hi := v.Bounds()
	return finishWithin(v, body, lo, hi)
}

// finishWithin is finish for values of which the smallest and largest are known.
func finishWithin(v *Vec, body []byte, lo, hi Bound) Block {
	b := Block{Kind: v.Kind, Enc: Enc(body[0]), N: v.N, Raw: len(body) - 1, Data: slices.Clone(body[1:]), Lo: lo, Hi: hi}
	bufPool.Put(&body)
	b.CRC = Checksum(b.Data)
	return b
}

// appendVec appends the Enc byte and the body by kind and form, but for plain numbers.
//
//	const  Int: uvarint value; Addr: addresses (1); Bytes: octets (1)
//	dict   entries, codes
//	plain  octets (n)
func appendVec(dst []byte, v *Vec) []byte {
	switch {
	case v.N == 0 && v.Kind == Int:
		return append(dst, byte(EncConst), 0)
	case v.Form == Plain:
		return appendOctets(append(dst, byte(EncPlain)), v)
	case v.Entries() > 1:
		return appendCodes(appendEntries(append(dst, byte(EncDict)), v), v.Codes, v.Entries(), runsOf(v.Codes), 0)
	}
	dst = append(dst, byte(EncConst))
	switch v.Kind {
	case Int:
		return binary.AppendUvarint(dst, v.Ints[0])
	case Addr:
		return appendAddrs(dst, v)
	}
	return appendOctets(dst, v)
}

// appendEntries appends a dictionary: uvarint entries, then ints, addresses or octets.
func appendEntries(dst []byte, v *Vec) []byte {
	dst = binary.AppendUvarint(dst, uint64(v.Entries()))
	switch v.Kind {
	case Int:
		return appendInts(dst, v.Ints, 1)
	case Addr:
		return appendAddrs(dst, v)
	}
	return appendOctets(dst, v)
}

// entries reads a dictionary into v and returns its size.
func (c *cursor) entries(v *Vec, b *Block) int {
	n := c.count(min(b.N, MaxValues), "entries")
	switch b.Kind {
	case Int:
		v.Ints = grow(v.Ints, n)
		c.ints(v.Ints, 1)
		if c.err == nil {
			c.ascending(v.Ints)
		}
	case Addr:
		c.addrs(v, n)
	default:
		c.octets(v, n)
	}
	return n
}

// appendAddrs appends the sorted entries: uvarint IPv4 entries, ints, ints high and ints low halves.
func appendAddrs(dst []byte, v *Vec) []byte {
	s := getInts(max(len(v.V4), len(v.V6)))
	defer putInts(s)
	dst = binary.AppendUvarint(dst, uint64(len(v.V4)))
	dst = binary.AppendUvarint(dst, uint64(len(v.V6)))
	for i, a := range v.V4 {
		(*s)[i] = uint64(a)
	}
	dst = appendInts(dst, (*s)[:len(v.V4)], 1)
	for i, a := range v.V6 {
		(*s)[i] = a.Hi
	}
	dst = appendInts(dst, (*s)[:len(v.V6)], 1)
	for i, a := range v.V6 {
		(*s)[i] = a.Lo
	}
	return appendInts(dst, (*s)[:len(v.V6)], 1)
}

// appendOctets appends uvarint total bytes, ints lengths, bytes.
func appendOctets(dst []byte, v *Vec) []byte {
	n := v.Entries()
	s := getInts(n)
	defer putInts(s)
	for i := range *s {
		(*s)[i] = uint64(v.Off[i+1] - v.Off[i])
	}
	dst = binary.AppendUvarint(dst, uint64(len(v.Data)))
	dst = appendInts(dst, *s, 1)
	return append(dst, v.Data...)
}

// Compress applies c where it saves at least a sixteenth of the block.
func (b *Block) Compress(c Comp) {
	if b.Comp != None || c == None || len(b.Data) < 128 {
		return
	}
	var out []byte
	switch c {
	case S2:
		out = s2.EncodeBetter(nil, b.Data)
	case Zstd:
		e := zstdEncoders.Get().(*zstd.Encoder)
		out = e.EncodeAll(b.Data, make([]byte, 0, len(b.Data)))
		zstdEncoders.Put(e)
	}
	if len(out)+len(b.Data)/16 < len(b.Data) {
		b.Data, b.Comp, b.CRC = out, c, Checksum(out)
	}
}

var zstdEncoders = sync.Pool{New: func() any {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return e
}}

var zstdDecoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxRaw))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
}}

// Plaintext is the encoded body with Comp undone, appended to buf[:0] or aliasing Data.
func (b *Block) plaintext(buf []byte) ([]byte, error) {
	if b.Raw < 0 || b.Raw > MaxRaw {
		return nil, corrupt("raw length %d", b.Raw)
	}
	switch b.Comp {
	case None:
		if len(b.Data) != b.Raw {
			return nil, corrupt("%d bytes stored, %d stated", len(b.Data), b.Raw)
		}
		return b.Data, nil
	case S2:
		n, err := s2.DecodedLen(b.Data)
		if err != nil || n != b.Raw {
			return nil, corrupt("s2 block of %d bytes, %d stated", n, b.Raw)
		}
		out, err := s2.Decode(grow(buf, n), b.Data)
		if err != nil {
			return nil, corrupt("s2: %v", err)
		}
		return out, nil
	case Zstd:
		var h zstd.Header // no memory for a size that the frame itself does not claim
		if err := h.Decode(b.Data); err != nil || !h.HasFCS || h.FrameContentSize != uint64(b.Raw) {
			return nil, corrupt("zstd block of %d bytes, %d stated", h.FrameContentSize, b.Raw)
		}
		d := zstdDecoders.Get().(*zstd.Decoder)
		defer zstdDecoders.Put(d)
		if cap(buf) < b.Raw {
			buf = make([]byte, 0, b.Raw)
		}
		out, err := d.DecodeAll(b.Data, buf[:0])
		if err != nil || len(out) != b.Raw {
			return nil, corrupt("zstd block of %d bytes, %d stated: %v", len(out), b.Raw, err)
		}
		return out, nil
	}
	return nil, corrupt("compression %d", b.Comp)
}

var bufPool = sync.Pool{New: func() any { return new([]byte) }}

// DecodeEntries decodes the dictionary alone, for a column that shares it.
func (b *Block) DecodeEntries(v *Vec) error {
	if b.Enc != EncDict || b.Kind != Addr || b.N > MaxValues {
		return corrupt("%s column of %s shares no dictionary", b.Enc, b.Kind)
	}
	buf := bufPool.Get().(*[]byte)
	defer bufPool.Put(buf)
	body, err := b.plaintext(*buf)
	if err != nil {
		return err
	}
	if b.Comp != None {
		*buf = body
	}
	v.Reset(b.Kind)
	v.Form = Dict
	c := cursor{b: body}
	c.entries(v, b)
	return c.err
}

// Decode decodes b into v, reusing v's memory. ref is the column that b depends on, or nil.
func (b *Block) Decode(v *Vec, ref *Vec) error {
	if b.N < 0 || b.N > MaxValues {
		return corrupt("%d values", b.N)
	}
	buf := bufPool.Get().(*[]byte)
	defer bufPool.Put(buf)
	body, err := b.plaintext(*buf)
	if err != nil {
		return err
	}
	if b.Comp != None {
		*buf = body
	}
	v.Reset(b.Kind)
	v.N = b.N
	c := cursor{b: body}
	if b.Enc >= EncMapped {
		c.dependent(b, v, ref)
	} else {
		c.vec(b, v)
	}
	if c.err == nil && len(c.b) != 0 {
		c.fail("%d bytes too many", len(c.b))
	}
	return c.err
}

func (c *cursor) vec(b *Block, v *Vec) {
	switch {
	case b.Enc == EncDict:
		v.Form = Dict
		n := c.entries(v, b)
		v.Codes = grow(v.Codes, b.N)
		c.codes(v.Codes, n, 0)
	case b.Enc == EncConst && b.Kind == Int:
		v.Form = Const
		v.Ints = append(v.Ints, c.uvarint())
	case b.Enc == EncConst && b.Kind == Addr:
		v.Form = Const
		c.addrs(v, min(1, b.N))
	case b.Enc == EncConst:
		v.Form = Const
		c.octets(v, min(1, b.N))
	case b.Kind == Int:
		v.Ints = grow(v.Ints, b.N)
		c.body(b.Enc, v.Ints, 0)
	case b.Kind == Bytes && b.Enc == EncPlain:
		c.octets(v, b.N)
	default:
		c.fail("encoding %d for %s", b.Enc, b.Kind)
	}
}

func (c *cursor) ascending(d []uint64) {
	for i := 1; i < len(d); i++ {
		if d[i] <= d[i-1] {
			c.fail("dictionary is not ascending at entry %d", i)
			return
		}
	}
}

func (c *cursor) addrs(v *Vec, n int) {
	n4 := c.count(n, "IPv4 addresses")
	n6 := c.count(n, "IPv6 addresses")
	if c.err == nil && n4+n6 != n {
		c.fail("%d IPv4 and %d IPv6 addresses, %d stated", n4, n6, n)
	}
	if c.err != nil {
		return
	}
	s := getInts(max(n4, 2*n6))
	defer putInts(s)
	c.ints((*s)[:n4], 1)
	v.V4 = grow(v.V4, n4)
	for i, x := range (*s)[:n4] {
		if x > 0xffffffff || i > 0 && uint32(x) <= v.V4[i-1] {
			c.fail("IPv4 entry %d out of order or range", i)
			return
		}
		v.V4[i] = uint32(x)
	}
	hi, lo := (*s)[:n6], (*s)[n6:2*n6]
	c.ints(hi, 1)
	c.ints(lo, 1)
	if c.err != nil {
		v.V4 = v.V4[:0]
		return
	}
	v.V6 = grow(v.V6, n6)
	for i := range v.V6 {
		v.V6[i] = V6{hi[i], lo[i]}
		if i > 0 && v.V6[i-1].Compare(v.V6[i]) >= 0 {
			c.fail("IPv6 entry %d out of order", i)
			return
		}
	}
}

func (c *cursor) octets(v *Vec, n int) {
	total := c.count(MaxRaw, "bytes")
	s := getInts(n)
	defer putInts(s)
	c.ints(*s, 1)
	v.Off = grow(v.Off, n+1)
	v.Off[0] = 0
	sum := uint64(0)
	for i, l := range *s {
		if l > uint64(total) || sum+l > uint64(total) {
			c.fail("strings longer than their %d bytes", total)
			return
		}
		sum += l
		v.Off[i+1] = uint32(sum)
	}
	if sum != uint64(total) {
		c.fail("strings of %d bytes, %d stated", sum, total)
	}
	if b := c.take(total); c.err == nil {
		v.Data = append(v.Data, b...)
	}
}
