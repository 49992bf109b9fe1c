package column

import (
	"math/rand/v2"
	"testing"
)

// TestNestingFits: whatever the encoder nests, the decoder accepts; the numbers are runs of
// runs of dictionaries of steps, so that every encoding comes to stand inside others.
func TestNestingFits(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for round := range 400 {
		n := 1 + r.IntN(6000)
		v := &Vec{Kind: Int, N: n, Ints: make([]uint64, n)}
		distinct := make([]uint64, 1+r.IntN(3000))
		for i := range distinct {
			distinct[i] = uint64(i)*(1+r.Uint64N(1<<r.IntN(40))) + r.Uint64N(1<<r.IntN(20))
		}
		unit := []uint64{1, 1e3, 1e6}[r.IntN(3)]
		run, k, x := 1+r.IntN(60), 0, uint64(0)
		for i := range v.Ints {
			if k--; k < 0 {
				k = r.IntN(run)
				if r.IntN(3) > 0 {
					x = distinct[r.IntN(len(distinct))]
				} else {
					x += distinct[0]
				}
			}
			v.Ints[i] = x * unit
		}
		b := Encode(v)
		var got Vec
		if err := b.Decode(&got, nil); err != nil {
			t.Fatalf("round %d, %d values: %s: %v", round, n, b.Enc, err)
		}
		if err := sameValues(v, &got); err != nil {
			t.Fatalf("round %d: %s: %v", round, b.Enc, err)
		}
	}
}

// TestCodesInRuns: codes with a dominating value and bursts of others must not be encoded as a
// dictionary of themselves.
func TestCodesInRuns(t *testing.T) {
	v := &Vec{Kind: Addr, Form: Dict, N: 1000}
	for e := range 9 {
		v.V4 = append(v.V4, uint32(e))
	}
	for i := range v.N {
		c := uint16(8)
		if i%500 < 40 {
			c = uint16(i * 7 / 3 % 8)
		}
		v.Codes = append(v.Codes, c)
	}
	roundTrip(t, "bursts", v, nil, Encode(v))
}

// TestDeepNesting: encodings nested deeper than the limit are refused, by whatever way.
func TestDeepNesting(t *testing.T) {
	// A dictionary whose codes are a dictionary whose codes are …
	var body []byte
	for range 100_000 {
		body = append(body, 1, byte(EncConst), 0, 1, byte(EncDict)) // 1 entry, codes as ints
	}
	b := Block{Kind: Int, Enc: EncDict, N: 8, Raw: len(body), Data: body}
	var v Vec
	if err := b.Decode(&v, nil); err == nil {
		t.Error("100,000 encodings in one another were accepted")
	}
}
