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
	case sendOctets, sendMisfit:
		for r, i := range rows {
			p, value := dst[r*stride:r*stride+int(f.Len)], c.vec.BytesEntry(c.at(int(i)))
			if f.form == sendMisfit {
				value = value[misfitHead:]
			}
			if len(value) > len(p) {
				e.stats.Clamped++
			}
			clear(p[copy(p, value):])
		}
		return nil
	}
	nums := grown(e.nums, len(rows))
	e.nums = nums
	c.gather(nums, rows)
	e.numbers(f, nums, boot)
	if f.Len < 8 && f.form != sendSigned && f.form != sendFloat {
		e.limit(nums, 1<<(8*f.Len)-1)
	}
	store(dst, stride, int(f.Len), nums)
	return nil
}

// gather sets dst to the numbers of some records.
func (c *sendColumn) gather(dst []uint64, rows []int32) {
	ints, codes, rank := c.vec.Ints, c.vec.Codes, c.rank
	switch {
	case c.vec.Form == column.Const:
		fill(dst, ints[0])
	case c.vec.Form == column.Dict && rank == nil:
		for r, i := range rows {
			dst[r] = ints[codes[i]]
		}
	case c.vec.Form == column.Dict:
		for r, i := range rows {
			dst[r] = ints[codes[rank[i]]]
		}
	case rank == nil:
		for r, i := range rows {
			dst[r] = ints[i]
		}
	default:
		for r, i := range rows {
			dst[r] = ints[rank[i]]
		}
	}
}

// numbers turns numbers of a column into those that are sent.
func (e *Encoder) numbers(f *sendField, nums []uint64, boot int64) {
	switch f.form {
	case sendUint:
	case sendSeconds:
		for i, x := range nums {
			nums[i] = x / 1e9
		}
	case sendMillis:
		for i, x := range nums {
			nums[i] = x / 1e6
		}
	case sendUptime:
		for i, x := range nums {
			ms := int64(x / 1e6)
			if ms < boot {
				e.stats.Clamped++
				ms = boot
			}
			nums[i] = uint64(ms - boot)
		}
	default:
		for i, x := range nums {
			nums[i] = rare(f, x)
		}
	}
}

// rare is a number of a column as it is sent, of the forms that are rare.
func rare(f *sendField, x uint64) uint64 {
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
	case sendMicros:
		return (toNTP(x/1000*1000) + 1<<11 - 1) &^ (1<<11 - 1) // the last 11 bits are 0 (RFC 7011 §6.1.9)
	case sendNanos:
		return toNTP(x)
	}
	return x
}

// limit makes numbers that are above most, all of whose bits are set, the most.
func (e *Encoder) limit(nums []uint64, most uint64) {
	all := uint64(0)
	for _, x := range nums {
		all |= x
	}
	if all <= most {
		return
	}
	for i, x := range nums {
		if x > most {
			e.stats.Clamped++
			nums[i] = most
		}
	}
}

// store writes the lower bytes of numbers, each so many bytes behind the one before it.
func store(dst []byte, stride, width int, nums []uint64) {
	switch width {
	case 1:
		for r, x := range nums {
			dst[r*stride] = byte(x)
		}
	case 2:
		for r, x := range nums {
			binary.BigEndian.PutUint16(dst[r*stride:], uint16(x))
		}
	case 4:
		for r, x := range nums {
			binary.BigEndian.PutUint32(dst[r*stride:], uint32(x))
		}
	case 8:
		for r, x := range nums {
			binary.BigEndian.PutUint64(dst[r*stride:], x)
		}
	default:
		for r, x := range nums {
			put(dst[r*stride:], width, x)
		}
	}
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
