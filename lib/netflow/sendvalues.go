package netflow

import (
	"encoding/binary"
	"fmt"
	"math"

	"nfpipe/lib/column"
	"nfpipe/lib/flow"
)

// values puts a field of some records where they lie one after the other, each so many bytes
// from the one before it.
func (e *Encoder) values(f *sendField, c *sendColumn, dst []byte, stride int, rows []int32, boot int64) error {
	switch f.form {
	case sendAddr4:
		return e.addresses4(f, c, dst, stride, rows)
	case sendAddr6:
		return e.addresses6(f, c, dst, stride, rows)
	case sendOctets:
		for r, i := range rows {
			p, value := dst[r*stride:r*stride+int(f.Len)], c.vec.BytesEntry(c.at(int(i)))
			if len(value) > len(p) {
				e.stats.Clamped++
			}
			clear(p[copy(p, value):])
		}
		return nil
	}
	limit := uint64(math.MaxUint64)
	if f.Len < 8 {
		limit = 1<<(8*f.Len) - 1
	}
	ints := c.vec.Ints
	for r, i := range rows {
		x := e.number(f, ints[c.at(int(i))], boot)
		if x > limit {
			if f.form == sendUint || f.form >= sendSeconds {
				e.stats.Clamped++
				x = limit
			}
		}
		put(dst[r*stride:], int(f.Len), x)
	}
	return nil
}

// number is a number of a column as it is sent.
func (e *Encoder) number(f *sendField, x uint64, boot int64) uint64 {
	switch f.form {
	case sendSigned:
		return uint64(column.Signed(x))
	case sendFloat:
		if v := column.Float(x); f.Len == 4 {
			return uint64(math.Float32bits(float32(v)))
		} else {
			return math.Float64bits(v)
		}
	case sendBool:
		if x == 0 {
			return 2 // RFC 7011 §6.1.5
		}
		return x
	case sendSeconds:
		return x / 1e9
	case sendMillis:
		return x / 1e6
	case sendMicros:
		return (toNTP(x/1000*1000) + 1<<11 - 1) &^ (1<<11 - 1) // the last 11 bits are 0 (RFC 7011 §6.1.9)
	case sendNanos:
		return toNTP(x)
	case sendUptime:
		ms := int64(x / 1e6)
		if ms < boot {
			e.stats.Clamped++
			return 0
		}
		return uint64(ms - boot)
	}
	return x
}

// put writes the lower bytes of a number.
func put(p []byte, n int, x uint64) {
	switch n {
	case 1:
		p[0] = byte(x)
	case 2:
		binary.BigEndian.PutUint16(p, uint16(x))
	case 4:
		binary.BigEndian.PutUint32(p, uint32(x))
	case 8:
		binary.BigEndian.PutUint64(p, x)
	default:
		for i := n - 1; i >= 0; i-- {
			p[i] = byte(x)
			x >>= 8
		}
	}
}

// wrongFamily is the error of an address that is not of its element's family.
func wrongFamily(f *sendField) error {
	return fmt.Errorf("column %s: %w: an address of another family", f.key.ID, column.ErrCorrupt)
}

func (e *Encoder) addresses4(f *sendField, c *sendColumn, dst []byte, stride int, rows []int32) error {
	v4 := c.vec.V4
	for r, i := range rows {
		n := c.at(int(i))
		if n >= len(v4) {
			return wrongFamily(f)
		}
		binary.BigEndian.PutUint32(dst[r*stride:], v4[n])
	}
	return nil
}

func (e *Encoder) addresses6(f *sendField, c *sendColumn, dst []byte, stride int, rows []int32) error {
	base, v6 := len(c.vec.V4), c.vec.V6
	for r, i := range rows {
		n := c.at(int(i)) - base
		if n < 0 {
			return wrongFamily(f)
		}
		binary.BigEndian.PutUint64(dst[r*stride:], v6[n].Hi)
		binary.BigEndian.PutUint64(dst[r*stride+8:], v6[n].Lo)
	}
	return nil
}

// appendRecord appends a record of which fields vary in length.
func (e *Encoder) appendRecord(dst []byte, p *sendPlan, cols []*sendColumn, row int32, boot int64, t *sendTemplate, s *source) ([]byte, error) {
	one := [1]int32{row}
	for i := range p.fields {
		f := &p.fields[i]
		c := cols[i]
		if f.Len != flow.Variable {
			at := len(dst)
			for range int(f.Len) {
				dst = append(dst, 0)
			}
			if err := e.values(f, c, dst[at:], int(f.Len), one[:], boot); err != nil {
				return dst, err
			}
			continue
		}
		value := c.vec.BytesEntry(c.at(int(row)))
		switch f.form {
		case sendList:
			value = e.list(f, value, t, s)
		case sendMisfit:
			value = value[misfitHead:]
		}
		dst = appendVariable(dst, value)
	}
	return dst, nil
}

// appendVariable appends octets with their length before them (RFC 7011 §7).
func appendVariable(dst, value []byte) []byte {
	if len(value) < 255 {
		return append(append(dst, byte(len(value))), value...)
	}
	value = value[:min(len(value), maxMessage)]
	dst = append(dst, 255)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}
