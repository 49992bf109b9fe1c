package column

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// intCases are shapes of numbers that flow records have, and the edges of the encodings.
func intCases(r *rand.Rand, n int) map[string][]uint64 {
	gen := func(f func(i int) uint64) []uint64 {
		v := make([]uint64, n)
		for i := range v {
			v[i] = f(i)
		}
		return v
	}
	t0 := uint64(1700000000e9)
	last := t0
	return map[string][]uint64{
		"constant":      gen(func(int) uint64 { return 7 }),
		"largest":       gen(func(int) uint64 { return ^uint64(0) }),
		"ends":          gen(func(i int) uint64 { return -uint64(i & 1) }),
		"random 64":     gen(func(int) uint64 { return r.Uint64() }),
		"random 57":     gen(func(int) uint64 { return r.Uint64() >> 7 }),
		"random 56":     gen(func(int) uint64 { return r.Uint64() >> 8 }),
		"ports":         gen(func(int) uint64 { return []uint64{53, 443, 80, r.Uint64N(28000) + 32768}[r.IntN(4)] }),
		"protocols":     gen(func(int) uint64 { return []uint64{6, 17, 6, 1}[r.IntN(4)] }),
		"heavy tail":    gen(func(int) uint64 { return uint64(1) << r.IntN(40) / (1 + r.Uint64N(1000)) }),
		"runs":          gen(func(i int) uint64 { return uint64(i/22) * 31 % 17 }),
		"milliseconds":  gen(func(int) uint64 { return t0 + r.Uint64N(300000)*1e6 }),
		"seconds":       gen(func(int) uint64 { return t0 + r.Uint64N(300)*1e9 }),
		"microseconds":  gen(func(int) uint64 { return t0 + r.Uint64N(1e9)*1e3 }),
		"sorted":        gen(func(int) uint64 { last += r.Uint64N(50) * 1e6; return last }),
		"long ago":      gen(func(int) uint64 { return t0 - r.Uint64N(1<<r.Uint64N(38)+1) }),
		"few wide":      gen(func(int) uint64 { return mixTest(r.Uint64N(100)) }),
		"stairs":        gen(func(i int) uint64 { return uint64(i/40)*uint64(i/40)%977*1e9 + uint64(i/7%3) }),
		"steps up":      gen(func(i int) uint64 { last += uint64(i/100%2) * uint64([]int{1, 5, 900}[i%3]); return last }),
		"prefixes":      gen(func(i int) uint64 { return []uint64{24, 24, 24, 20, 16, 48}[uint64(i/3)*2654435761>>7%6] }),
		"wrapping diff": gen(func(i int) uint64 { return uint64(i%3) * 0x7fffffffffffffff }),
	}
}

func mixTest(x uint64) uint64 { return (x + 1) * 0x9e3779b97f4a7c15 }

func roundTrip(t *testing.T, name string, v, ref *Vec, b Block) {
	t.Helper()
	for _, c := range []Comp{None, S2, Zstd} {
		b := b
		b.Compress(c)
		var got Vec
		got.Ints = []uint64{1, 2, 3} // memory of an earlier use
		if err := b.Decode(&got, ref); err != nil {
			t.Fatalf("%s: %s/%s: %v", name, b.Enc, b.Comp, err)
		}
		if err := sameValues(v, &got); err != nil {
			t.Fatalf("%s: %s/%s: %v", name, b.Enc, b.Comp, err)
		}
		for _, step := range []int{1, 2, 17, 1000} {
			if err := picks(&b, v, ref, step); err != nil {
				t.Fatalf("%s: %s/%s: every %d: %v", name, b.Enc, b.Comp, step, err)
			}
		}
	}
	lo, hi := v.Bounds()
	if b.Lo != lo || b.Hi != hi {
		t.Fatalf("%s: bounds %v %v, want %v %v", name, b.Lo, b.Hi, lo, hi)
	}
}

// picks compares Pick of one value in step with v.
func picks(b *Block, v, ref *Vec, step int) error {
	var at []int32
	r := rand.New(rand.NewPCG(uint64(step), uint64(v.N)))
	for i := 0; i < v.N; i++ {
		if r.IntN(step) == 0 {
			at = append(at, int32(i))
		}
	}
	if len(at) == 0 {
		return nil
	}
	if ref != nil && ref.N == b.N && !b.LeansOnAll() {
		ref = pluck(ref, at)
	}
	var got Vec
	if err := b.Pick(&got, ref, at); err != nil {
		return err
	}
	return sameValues(pluck(v, at), &got)
}

// pluck is the values of v at the positions.
func pluck(v *Vec, at []int32) *Vec {
	out := *v
	out.N = len(at)
	switch {
	case v.Form == Dict:
		out.Codes = nil
		for _, p := range at {
			out.Codes = append(out.Codes, v.Codes[p])
		}
	case v.Form == Plain && v.Kind == Int:
		out.Ints = nil
		for _, p := range at {
			out.Ints = append(out.Ints, v.Ints[p])
		}
	case v.Form == Plain:
		out.Off, out.Data = []uint32{0}, nil
		for _, p := range at {
			out.Data = append(out.Data, v.BytesEntry(int(p))...)
			out.Off = append(out.Off, uint32(len(out.Data)))
		}
	}
	return &out
}

func sameValues(a, b *Vec) error {
	if a.N != b.N || a.Kind != b.Kind {
		return fmt.Errorf("%d %s values, want %d %s", b.N, b.Kind, a.N, a.Kind)
	}
	for i := range a.N {
		var x, y any
		same := false
		switch a.Kind {
		case Int:
			x, y = a.Int(i), b.Int(i)
			same = x == y
		case Addr:
			x, y = a.AddrEntry(a.Entry(i)), b.AddrEntry(b.Entry(i))
			same = x == y
		default:
			p, q := a.BytesEntry(a.Entry(i)), b.BytesEntry(b.Entry(i))
			x, y, same = p, q, bytes.Equal(p, q)
		}
		if !same {
			return fmt.Errorf("value %d is %v, want %v", i, y, x)
		}
	}
	return nil
}

func TestIntsRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	used := map[Enc]bool{}
	for _, n := range []int{0, 1, 2, 3, 7, 63, 64, 65, 1000, 5000, MaxValues} {
		for name, ints := range intCases(r, n) {
			v := &Vec{Kind: Int, N: n, Ints: ints}
			b := Encode(v)
			used[b.Enc] = true
			roundTrip(t, fmt.Sprintf("%s × %d", name, n), v, nil, b)
		}
	}
	for _, e := range []Enc{EncConst, EncPacked, EncEscape, EncEscapeDict, EncDict, EncRuns, EncDelta, EncScaled, EncMagnitude} {
		if !used[e] {
			t.Errorf("no case chose %s", e)
		}
	}
}

func addrVec(r *rand.Rand, n int, distinct uint64, share6 float64) *Vec {
	var b Builder
	b.Reset(Addr)
	for range n {
		if r.Float64() < share6 {
			b.Put6(V6{0x20010db8 << 32, mixTest(r.Uint64N(distinct))})
		} else {
			b.Put4(0x0a000000 + uint32(r.Uint64N(distinct)))
		}
	}
	return b.Vec()
}

func TestAddrsRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 2, 100, MaxValues} {
		for _, distinct := range []uint64{1, 2, 300, 1 << 40} {
			for _, share := range []float64{0, .13, 1} {
				v := addrVec(r, n, distinct, share)
				roundTrip(t, fmt.Sprintf("%d of %d, %g v6", n, distinct, share), v, nil, Encode(v))
			}
		}
	}
}

func TestBytesRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{0, 1, 2, 100, 5000} {
		for _, distinct := range []int{1, 5, 1 << 30} {
			var b Builder
			b.Reset(Bytes)
			for range n {
				x := r.IntN(distinct)
				b.PutBytes(bytes.Repeat([]byte{byte(x), byte(x >> 8), byte(x >> 16), 'x'}, x%9))
			}
			v := b.Vec()
			roundTrip(t, fmt.Sprintf("%d of %d", n, distinct), v, nil, Encode(v))
		}
	}
}

func TestDependentRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{1, 2, 1000, MaxValues} {
		ref := addrVec(r, n, 3000, .2)
		as := &Vec{Kind: Int, N: n, Ints: make([]uint64, n)}
		for i := range as.Ints {
			as.Ints[i] = 64512 + uint64(ref.Entry(i)/50)
			if r.IntN(50) == 0 {
				as.Ints[i] = r.Uint64N(70000)
			}
		}
		b, _, ok := EncodeMapped(as, ref, true)
		if !ok && n > 2 {
			t.Fatalf("%d: not mapped", n)
		}
		if ok {
			roundTrip(t, fmt.Sprint("mapped ", n), as, ref, b)
		}
		var nh Builder
		nh.Reset(Addr)
		for i := range n {
			nh.Put4(uint32(as.Ints[i] / 7))
		}
		if b, _, ok := EncodeMapped(nh.Vec(), ref, true); ok {
			roundTrip(t, fmt.Sprint("mapped address ", n), nh.Vec(), ref, b)
		}
		other := addrVec(r, n, 3500, .1)
		if b, ok := EncodeShared(other, ref); ok {
			roundTrip(t, fmt.Sprint("shared ", n), other, ref, b)
			var entries Vec
			if rb := Encode(ref); rb.Enc == EncDict {
				if err := rb.DecodeEntries(&entries); err != nil {
					t.Fatal(err)
				}
				roundTrip(t, fmt.Sprint("shared entries ", n), other, &entries, b)
			}
		} else if n > 2 {
			t.Fatalf("%d: not shared", n)
		}
		packets := &Vec{Kind: Int, N: n, Ints: intCases(r, n)["heavy tail"]}
		octets := &Vec{Kind: Int, N: n, Ints: make([]uint64, n)}
		for i, p := range packets.Ints {
			octets.Ints[i] = p*(40+r.Uint64N(1400)) + r.Uint64N(40)
		}
		for name, v := range map[string]*Vec{"bytes": octets, "random": {Kind: Int, N: n, Ints: intCases(r, n)["random 64"]}} {
			if b, ok := EncodeQuotient(v, packets); ok {
				roundTrip(t, name+" by packets", v, packets, b)
				roundTrip(t, name+" by dictionary", v, dictOf(packets), b)
			}
			if b, ok := EncodeDifference(v, packets); ok {
				roundTrip(t, name+" from packets", v, packets, b)
			}
			if b, ok := EncodeDifference(packets, v); ok {
				roundTrip(t, name+" above packets", packets, v, b)
			}
		}
	}
}

func dictOf(v *Vec) *Vec {
	d := slices.Compact(sortedCopy(v.Ints))
	if len(d) == 1 {
		return &Vec{Kind: Int, Form: Const, N: v.N, Ints: d}
	}
	c := make([]uint16, v.N)
	encodeWith(c, v.Ints, d)
	return &Vec{Kind: Int, Form: Dict, N: v.N, Ints: d, Codes: c}
}

func TestImages(t *testing.T) {
	xs := []int64{-1 << 63, -5, -1, 0, 1, 1<<63 - 1}
	for i, x := range xs {
		if Signed(FromSigned(x)) != x {
			t.Errorf("%d came back as %d", x, Signed(FromSigned(x)))
		}
		if i > 0 && FromSigned(xs[i-1]) >= FromSigned(x) {
			t.Errorf("%d sorts after %d", xs[i-1], x)
		}
	}
	fs := []float64{-1e300, -2, -0.5, 0, 1e-9, 3, 1e300}
	for i, f := range fs {
		if Float(FromFloat(f)) != f {
			t.Errorf("%g came back as %g", f, Float(FromFloat(f)))
		}
		if i > 0 && FromFloat(fs[i-1]) >= FromFloat(f) {
			t.Errorf("%g sorts after %g", fs[i-1], f)
		}
	}
}

func TestPrefixBound(t *testing.T) {
	long := bytes.Repeat([]byte{'a'}, 20)
	lo, hi := PrefixBound(long, false), PrefixBound(long, true)
	if lo.Compare(hi) >= 0 || PrefixBound([]byte("aaaa"), true) != PrefixBound([]byte("aaaa"), false) {
		t.Errorf("bounds of %q: %v %v", long, lo, hi)
	}
	if b := PrefixBound(bytes.Repeat([]byte{255}, 17), true); b.Hi != ^uint64(0) || b.Lo != ^uint64(0) {
		t.Errorf("bound of 17 × 0xff is %v", b)
	}
}

// FuzzDecode: arbitrary bytes never panic and never use more memory than they claim values.
func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, ints := range intCases(r, 100) {
		b := Encode(&Vec{Kind: Int, N: 100, Ints: ints})
		f.Add(byte(Int), byte(b.Enc), uint16(100), b.Data)
	}
	ref := addrVec(r, 100, 20, .2)
	b := Encode(ref)
	f.Add(byte(Addr), byte(b.Enc), uint16(100), b.Data)
	nums := &Vec{Kind: Int, N: 100, Ints: intCases(r, 100)["heavy tail"]}
	if b, ok := EncodeQuotient(&Vec{Kind: Int, N: 100, Ints: intCases(r, 100)["random 64"]}, nums); ok {
		f.Add(byte(Int), byte(b.Enc), uint16(100), b.Data)
	}
	f.Fuzz(func(t *testing.T, kind, enc byte, n uint16, data []byte) {
		b := Block{Kind: Kind(kind % byte(kinds)), Enc: Enc(enc), N: int(n), Raw: len(data), Data: data}
		for _, ref := range []*Vec{nil, ref, nums} {
			var v Vec
			if ref != nil {
				b.N = ref.N
			}
			if b.Decode(&v, ref) != nil {
				at := []int32{0, int32(b.N / 2), int32(b.N) - 1}
				var got Vec
				if b.N > 2 && b.Pick(&got, ref, at) == nil {
					for i := range got.N {
						got.touch(i)
					}
				}
				continue
			}
			at := []int32{}
			for i := int32(0); i < int32(b.N); i += 3 {
				at = append(at, i)
			}
			if p := ref; len(at) > 0 {
				if p != nil && !b.LeansOnAll() {
					p = pluck(ref, at)
				}
				var got Vec
				if err := b.Pick(&got, p, at); err != nil {
					t.Fatalf("%s decodes, but not by value: %v", b.Enc, err)
				}
				if err := sameValues(pluck(&v, at), &got); err != nil {
					t.Fatalf("%s: by value %v", b.Enc, err)
				}
			}
			for i := range v.N { // a decoded vector is safe to read
				v.touch(i)
			}
		}
	})
}

func (v *Vec) touch(i int) {
	switch v.Kind {
	case Int:
		v.Int(i)
	case Addr:
		v.AddrEntry(v.Entry(i))
	default:
		v.BytesEntry(v.Entry(i))
	}
}

func BenchmarkEncode(b *testing.B) {
	r := rand.New(rand.NewPCG(11, 12))
	for name, ints := range intCases(r, MaxValues) {
		b.Run(name, func(b *testing.B) {
			v := &Vec{Kind: Int, N: MaxValues, Ints: ints}
			b.ReportAllocs()
			var k Block
			for b.Loop() {
				k = Encode(v)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/MaxValues, "ns/value")
			b.ReportMetric(float64(len(k.Data)*8)/MaxValues, "bits/value")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	r := rand.New(rand.NewPCG(11, 12))
	for name, ints := range intCases(r, MaxValues) {
		k := Encode(&Vec{Kind: Int, N: MaxValues, Ints: ints})
		b.Run(name+"/"+k.Enc.String(), func(b *testing.B) {
			var v Vec
			b.ReportAllocs()
			for b.Loop() {
				if err := k.Decode(&v, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/MaxValues, "ns/value")
		})
	}
}
