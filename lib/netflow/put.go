package netflow

import (
	"encoding/binary"
	"math"

	"nfpipe/lib/column"
)

// put gives a column the values of n records from the first on.
func (w *work) put(g *program, i int, c *column.Builder, from, n int) {
	o := &g.ops[i]
	switch o.form {
	case formAddr4:
		w.addr4(o, c, from, n)
	case formAddr6:
		for r := from; r < from+n; r++ {
			c.Put16(w.value(int(o.field), r))
		}
	case formOctets:
		for r := from; r < from+n; r++ {
			c.PutBytes(w.value(int(o.field), r))
		}
	case formMisfit:
		w.misfits(o, c, from, n)
	case formList:
		w.lists(o, c, from, n)
	case formExporter:
		if a := w.x.Addr; a.Is6() {
			b := a.As16()
			c.Repeat6(column.V6{Hi: binary.BigEndian.Uint64(b[:]), Lo: binary.BigEndian.Uint64(b[8:])}, n)
		} else {
			b := a.As4()
			c.Repeat4(binary.BigEndian.Uint32(b[:]), n)
		}
	default:
		out := c.Extend(n)
		if g.links {
			w.numbers[i] = out
		}
		w.ints(o, out, from)
	}
}

// misfits puts values behind the number of their element.
func (w *work) misfits(o *op, c *column.Builder, from, n int) {
	id := w.t.fields[o.field].ID
	head := binary.BigEndian.AppendUint32(nil, id.PEN())
	head = binary.BigEndian.AppendUint16(head, id.Num())
	for r := from; r < from+n; r++ {
		c.PutBytes(append(head, w.value(int(o.field), r)...))
	}
}

func (w *work) addr4(o *op, c *column.Builder, from, n int) {
	if w.t.varies {
		for r := from; r < from+n; r++ {
			c.Put4(binary.BigEndian.Uint32(w.value(int(o.field), r)))
		}
		return
	}
	c.Put4Every(w.data[from*w.t.size+int(o.off):], w.t.size, n)
}

// ints sets out to the numbers of an op.
func (w *work) ints(o *op, out []uint64, from int) {
	switch o.form {
	case formDomain:
		fill(out, uint64(w.m.domain.id))
		return
	case formEngineType:
		fill(out, uint64(w.m.engine>>8))
		return
	case formEngineID:
		fill(out, uint64(w.m.engine&0xff))
		return
	case formArrived:
		fill(out, w.nanos(w.x.now/1e6, 1e6))
		return
	case formInterval, formSpace:
		w.sampling(o, out, from)
		return
	}
	w.load(o, out, from)
	switch o.form {
	case formSigned:
		shift := 64 - 8*uint(o.width)
		for i, x := range out {
			out[i] = column.FromSigned(int64(x<<shift) >> shift)
		}
	case formFloat:
		for i, x := range out {
			if f := math.Float64frombits(x); o.width == 8 {
				out[i] = column.FromFloat(f)
			} else {
				out[i] = column.FromFloat(float64(math.Float32frombits(uint32(x))))
			}
		}
	case formBool: // RFC 7011 §6.1.5: 1 is true, 2 is false
		for i, x := range out {
			if x == 2 {
				out[i] = 0
			}
		}
	case formICMP:
		for i, x := range out {
			out[i] = moved(w.number(w.t.plan.src, from+i), x)
		}
	case formUint:
	default:
		w.times(o, out, from)
	}
}

func fill(out []uint64, x uint64) {
	for i := range out {
		out[i] = x
	}
}

func (w *work) sampling(o *op, out []uint64, from int) {
	for i := range out {
		r := w.same
		if len(w.rates) > 0 {
			r = w.rates[from+i]
		}
		out[i] = uint64(r.interval)
		if o.form == formSpace {
			out[i] = uint64(r.space)
		}
	}
}

// load sets out to the big-endian numbers of a field.
func (w *work) load(o *op, out []uint64, from int) {
	if w.t.varies {
		for i := range out {
			out[i] = w.number(int(o.field), from+i)
		}
		return
	}
	data, stride := w.data, w.t.size
	at := from*stride + int(o.off)
	switch o.width {
	case 1:
		for i := range out {
			out[i] = uint64(data[at])
			at += stride
		}
	case 2:
		for i := range out {
			out[i] = uint64(binary.BigEndian.Uint16(data[at : at+2]))
			at += stride
		}
	case 4:
		for i := range out {
			out[i] = uint64(binary.BigEndian.Uint32(data[at : at+4]))
			at += stride
		}
	case 8:
		for i := range out {
			out[i] = binary.BigEndian.Uint64(data[at : at+8])
			at += stride
		}
	default:
		for i := range out {
			out[i] = bigEndian(data[at : at+int(o.width)])
			at += stride
		}
	}
}
