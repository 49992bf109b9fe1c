package flow

import (
	"slices"

	"nfpipe/lib/column"
	"nfpipe/lib/ie"
)

// Occurrences is how many of the columns of an element carry fields: of a pair as many as it has
// families, for a record may have both.
func Occurrences(col ie.ID) uint8 {
	if ie.IsPair(col) {
		return 2
	}
	return 1
}

// KeysOf lists the columns that can carry a field, those of the fields that it is computed
// from included.
func KeysOf(f *ie.Field) []Key {
	var keys []Key
	for _, id := range f.Elements {
		col, _ := ie.Column(id)
		for occ := range Occurrences(col) {
			keys = append(keys, Key{ID: col, Occ: occ})
		}
	}
	for _, names := range [][]string{f.From, f.Either} {
		for _, name := range names {
			if g, ok := ie.FieldByName(name); ok {
				keys = append(keys, KeysOf(g)...)
			}
		}
	}
	if f.Kind == ie.Counter {
		keys = append(keys, Key{ID: ie.SamplingInterval}, Key{ID: ie.SamplingSpace})
	}
	return keys
}

// KeysOfAll lists the columns of several fields, never nil.
func KeysOfAll(fields []*ie.Field) []Key {
	keys := []Key{}
	for _, f := range fields {
		for _, k := range KeysOf(f) {
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// SumKeys lists the columns that Sum looks at.
func SumKeys() []Key {
	return KeysOfAll([]*ie.Field{protoField, packetsField, bytesField, flowsField, firstField, lastField})
}

// Project drops all columns but those of keys. A column that leans on a dropped one is decoded.
func (b *Batch) Project(keys []Key) error {
	kept := make([]int, len(b.Cols)) // new index+1
	n := 0
	for i := range b.Cols {
		if slices.Contains(keys, b.Cols[i].Key) {
			n++
			kept[i] = n
		}
	}
	for i := range b.Cols {
		c := &b.Cols[i]
		if kept[i] == 0 || c.Ref < 0 {
			continue
		}
		if c.Ref < len(kept) && kept[c.Ref] != 0 {
			continue
		}
		v, err := b.Vec(i)
		if err != nil {
			return err
		}
		c.SetVec(v)
	}
	out := make([]Column, 0, n)
	for i := range b.Cols {
		if kept[i] == 0 {
			continue
		}
		c := b.Cols[i]
		if c.Ref >= 0 {
			c.Ref = kept[c.Ref] - 1
		}
		out = append(out, c)
	}
	b.Cols = out
	return nil
}

// Decode decodes all columns and forgets their blocks, so that they are encoded anew.
func (b *Batch) Decode() error {
	codes, err := b.ShapeCodes()
	if err != nil {
		return err
	}
	vecs := make([]*column.Vec, len(b.Cols))
	for i := range b.Cols {
		if vecs[i], err = b.Vec(i); err != nil {
			return err
		}
	}
	b.Codes.SetVec(codes)
	for i, v := range vecs {
		b.Cols[i].SetVec(v)
	}
	return nil
}
