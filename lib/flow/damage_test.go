package flow_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
	"nfpipe/lib/ie"
	"nfpipe/lib/stream"
)

// encodedOnly is a batch as a reader makes it: blocks, nothing decoded.
func encodedOnly(t testing.TB, records []record) *flow.Batch {
	t.Helper()
	b := build(t, records)
	if _, err := stream.EncodeFrame(b, column.None, true); err != nil {
		t.Fatal(err)
	}
	out := &flow.Batch{N: b.N, Shapes: slices.Clone(b.Shapes), Codes: flow.Column{Key: b.Codes.Key, Block: b.Codes.Block, Ref: -1}}
	for i := range b.Cols {
		c := &b.Cols[i]
		block := c.Block
		block.Data = slices.Clone(block.Data)
		out.Cols = append(out.Cols, flow.Column{Key: c.Key, Block: block, Ref: c.Ref})
	}
	out.Codes.Block.Data = slices.Clone(out.Codes.Block.Data)
	return out
}

// ask puts every question to b; answers may be errors, but a view that is given must be whole.
func ask(t testing.TB, b *flow.Batch) {
	for _, name := range fieldNames {
		f := named(name)
		for _, get := range []func(*ie.Field) (flow.View, error){b.Field, b.Scaled} {
			v, err := get(f)
			if err != nil || v.None() {
				continue
			}
			if v.Vec.N != b.N {
				t.Fatalf("%s: %d values for %d records", name, v.Vec.N, b.N)
			}
			for i := range b.N {
				if v.Has(i) {
					value(v.Vec, v.Vec.Entry(i))
				}
			}
		}
	}
	_, _ = b.Sum()
	if c, err := b.Compact(); err == nil && c != b {
		if c.N != b.Selected() {
			t.Fatalf("%d records of %d selected", c.N, b.Selected())
		}
		_, _ = c.Sum()
		_, _ = stream.EncodeFrame(c, column.None, false)
		c.Release()
	}
	b.First(3)
	_, _ = b.Sum()
}

// damage does to b what the bytes say.
func damage(b *flow.Batch, p []byte) {
	for ; len(p) >= 4; p = p[4:] {
		c := &b.Codes
		if n := int(p[0]) % (len(b.Cols) + 1); n < len(b.Cols) {
			c = &b.Cols[n]
		}
		x := int(p[3])
		switch p[1] % 9 {
		case 0, 1, 2:
			if n := len(c.Block.Data); n > 0 {
				c.Block.Data[(int(p[2])<<3^x>>4)%n] ^= byte(1 + x)
			}
		case 3:
			c.Block.N = min(max(c.Block.N+int(int8(p[2])), 0), column.MaxValues)
		case 4:
			c.Ref = min(x, len(b.Cols)) - 1
		case 5:
			c.Block.Kind = column.Kind(x % 5)
		case 6:
			c.Block.Enc = column.Enc(x % 20)
		case 7:
			n := min(x, len(c.Block.Data))
			c.Block.Data = c.Block.Data[:n:n]
			c.Block.Raw = n
		case 8:
			if x&1 != 0 && len(b.Shapes) > 0 {
				b.Shapes = b.Shapes[:len(b.Shapes)-1]
			} else {
				b.N = min(b.N+int(p[2]), flow.MaxRecords)
			}
		}
	}
}

func FuzzDamage(f *testing.F) {
	f.Add(uint64(1), []byte{})
	f.Add(uint64(2), []byte{0, 3, 1, 0})                               // a value too many
	f.Add(uint64(3), []byte{1, 4, 0, 2, 2, 4, 0, 3, 3, 4, 0, 2})       // leans in a circle
	f.Add(uint64(4), []byte{255, 0, 0, 200, 255, 8, 0, 1})             // shape codes
	f.Add(uint64(5), []byte{0, 5, 0, 2, 1, 5, 0, 0, 2, 5, 0, 1})       // kinds
	f.Add(uint64(6), []byte{0, 5, 0, 3, 1, 5, 0, 4, 4, 6, 0, 3})       // kinds that are none
	f.Add(uint64(7), []byte{3, 7, 0, 0, 4, 7, 0, 3, 5, 6, 0, 16})      // cut short
	f.Add(uint64(8), []byte{9, 8, 64, 0, 5, 8, 0, 1, 5, 8, 0, 1})      // more records, fewer shapes
	f.Add(uint64(9), []byte{0, 3, 129, 0, 255, 3, 129, 0, 1, 3, 9, 0}) // fewer values
	f.Fuzz(func(t *testing.T, seed uint64, p []byte) {
		r := rand.New(rand.NewPCG(seed, 5))
		records := randomRecords(r, r.IntN(200), 5)
		b := encodedOnly(t, records)
		damage(b, p[:min(len(p), 64)])
		if b.Link() != nil {
			return
		}
		b.Sel = flow.NewBitmap(b.N)
		for i := range b.N {
			if r.IntN(3) > 0 {
				b.Sel.Set(i)
			}
		}
		if seed&1 == 0 {
			var keys []flow.Key
			for i := range b.Cols {
				if r.IntN(2) == 0 {
					keys = append(keys, b.Cols[i].Key)
				}
			}
			if b.Project(keys) != nil {
				return
			}
		}
		ask(t, b)
		_ = b.Decode()
		b.Release()
	})
}

// Many random damages in an ordinary run of the tests.
func TestDamage(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	p := make([]byte, 12)
	for seed := range uint64(150) {
		records := randomRecords(rand.New(rand.NewPCG(seed, 1)), int(seed), 5)
		b := encodedOnly(t, records)
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		damage(b, p[:4*(seed%4)])
		if b.Link() != nil {
			continue
		}
		b.Sel = flow.NewBitmap(b.N)
		b.Sel.Not(b.N)
		ask(t, b)
		b.Release()
	}
}

// Damage that is known to have mattered, each with what must come of it.
func TestDamageTable(t *testing.T) {
	n := column.Vec{Kind: column.Int, N: 3, Ints: []uint64{1, 2, 3}}
	text := column.Vec{Kind: column.Bytes, N: 3, Off: []uint32{0, 1, 2, 3}, Data: []byte("abc")}
	for _, x := range []struct {
		name string
		b    *flow.Batch
	}{
		{"strings for numbers", &flow.Batch{N: 3, Cols: []flow.Column{{Key: flow.Key{ID: 2}, Block: column.Encode(&text), Ref: -1}}}},
		{"too few values", &flow.Batch{N: 4, Cols: []flow.Column{{Key: flow.Key{ID: 2}, Block: column.Encode(&n), Ref: -1}}}},
		{"too many values", &flow.Batch{N: 2, Cols: []flow.Column{{Key: flow.Key{ID: 2}, Block: column.Encode(&n), Ref: -1}}}},
		{"leans on itself", &flow.Batch{N: 3, Cols: []flow.Column{{Key: flow.Key{ID: 2}, Block: column.Block{Enc: column.EncMapped, N: 3, Data: []byte{}}, Ref: 0}}}},
		{"leans on nothing", &flow.Batch{N: 3, Cols: []flow.Column{{Key: flow.Key{ID: 2}, Block: column.Block{Enc: column.EncMapped, N: 3, Data: []byte{}}, Ref: 7}}}},
		{"unknown kind", &flow.Batch{N: 3, Cols: []flow.Column{{Key: flow.Key{ID: ie.New(12345, 7)}, Block: column.Block{Kind: 9, Enc: column.EncConst, N: 3, Data: []byte{}}, Ref: -1}}}},
	} {
		x.b.Shapes = []flow.Shape{flow.ShapeOf(x.b.Cols[0].Key.ID)}
		x.b.Codes.SetVec(&column.Vec{Kind: column.Int, Form: column.Const, N: x.b.N, Ints: []uint64{0}})
		if err := x.b.Link(); err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		name := "packets"
		if x.b.Cols[0].Key.ID != 2 {
			name = "12345/7"
		}
		if v, err := x.b.Field(named(name)); err == nil {
			t.Errorf("%s: field is %+v, want an error", x.name, v)
		}
		if _, err := x.b.Sum(); err == nil && name == "packets" {
			t.Errorf("%s: summed", x.name)
		}
		x.b.Sel = flow.NewBitmap(x.b.N)
		x.b.Sel.Set(x.b.N - 1)
		if _, err := x.b.Compact(); err == nil && x.name != "strings for numbers" {
			t.Errorf("%s: compacted", x.name)
		}
	}
	for _, code := range []uint64{1, 63, 64, math.MaxUint64} {
		b := &flow.Batch{N: 2, Shapes: []flow.Shape{flow.ShapeOf(4)}}
		b.Codes.SetVec(&column.Vec{Kind: column.Int, N: 2, Ints: []uint64{0, code}})
		if _, err := b.ShapeCodes(); err == nil {
			t.Errorf("shape %d of 1 is taken", code)
		}
	}
	b := &flow.Batch{Shapes: []flow.Shape{flow.ShapeOf(4)}, Sel: flow.Bitmap{}}
	b.Codes.SetVec(&column.Vec{Kind: column.Bytes, Form: column.Const, Off: []uint32{0}})
	if _, err := b.Compact(); err == nil {
		t.Error("shape codes that are strings are taken when there are no records")
	}
}

// The second of two columns that the same records have is a value short, and decoded before
// anybody counted. (Found by FuzzDamage.)
func TestSecondColumnShort(t *testing.T) {
	whole := column.Vec{Kind: column.Int, N: 3, Ints: []uint64{1, 2, 3}}
	short := column.Vec{Kind: column.Int, N: 2, Ints: []uint64{1, 2}}
	for _, decoded := range []bool{false, true} {
		b := &flow.Batch{N: 3, Shapes: []flow.Shape{flow.ShapeOf(1, 2)}, Cols: []flow.Column{
			{Key: flow.Key{ID: 1}, Block: column.Encode(&whole), Ref: -1},
			{Key: flow.Key{ID: 2}, Block: column.Encode(&short), Ref: -1},
		}}
		b.Codes.SetVec(&column.Vec{Kind: column.Int, Form: column.Const, N: 3, Ints: []uint64{0}})
		if err := b.Link(); err != nil {
			t.Fatal(err)
		}
		b.Sel = flow.NewBitmap(3)
		b.Sel.Set(2)
		if decoded {
			if _, err := b.Vec(1); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Compact(); !errors.Is(err, column.ErrCorrupt) {
			t.Errorf("decoded %v: compacted with error %v", decoded, err)
		}
	}
}
