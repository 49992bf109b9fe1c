package netflow

import (
	"reflect"
	"runtime"
	"testing"
	"time"

	"nfpipe/lib/ie"
)

// fuzzed gives messages to an exporter, one after the other, and then looks at what is left: time
// and memory, the bounds of its state, the count of its records, its state after a restart of the
// collector, and an honest exporter beside it.
func fuzzed(t *testing.T, c Config, messages ...[]byte) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin, size := time.Now(), 0
	a := newArena(t)
	a.keep = true
	x := a.exporter("192.0.2.66", c)
	for i, m := range messages {
		x.Decode(m, arrival+int64(i)*1e9)
		size += len(m)
	}
	a.sink.Flush()
	if x.Stats.Records != x.Stats.Skipped+uint64(len(a.rows)) || x.Stats.Skipped > 0 {
		t.Errorf("%d records came out; %+v", len(a.rows), x.Stats)
	}
	if lost := max(x.Stats.LostRecords, x.Stats.LostMessages); lost > uint64(len(messages))*far {
		t.Errorf("%d lost", lost)
	}
	checkBounds(t, x)
	state := x.State()
	again := a.exporter("192.0.2.66", c)
	again.Restore(state, arrival)
	if !reflect.DeepEqual(again.State(), state) && !c.Reliable {
		t.Errorf("restored is\n%+v\nwant\n%+v", again.State(), state)
	}
	a.good(t, a.exporter("192.0.2.1", Config{}), 1)
	runtime.ReadMemStats(&after)
	if took, alloc := time.Since(begin), after.TotalAlloc-before.TotalAlloc; took > 5*time.Second || alloc > 64<<20+uint64(size)*4096 {
		t.Errorf("%v, %d MB allocated", took, alloc>>20)
	}
}

// FuzzV9 gives the sets of a message with templates and of one with data.
func FuzzV9(f *testing.F) {
	all := set(0, tmpl(256, benchElems()...))
	f.Add(all, set(256, make([]byte, 120)))
	f.Add(join(set(1, optionsRecord9(257, 1, el(1, 4), el(48, 1), el(50, 4), el(34, 4))), set(0, tmpl(256, el(48, 1), el(1, 4), el(160, 8), el(22, 4)))),
		join(set(257, uint32(1), uint8(1), uint32(100), uint32(10), []byte{0, 0, 0}), set(256, uint8(1), uint32(7), uint64(testBoot), uint32(9))))
	f.Add(set(0, tmpl(256, el(82, variable16), el(8, 4), el(27, 16), el(4, 1), el(7, 2), el(11, 2))),
		set(256, short("eth0"), addr("192.0.2.1"), addr("::"), uint8(1), uint16(0), uint16(0x800)))
	f.Add(set(0, tmpl(256), tmpl(257, el(1, 0))), set(256, make([]byte, 12)))
	f.Add(set(1, uint16(256), uint16(65532), uint16(65532)), join(uint16(256), uint16(65535), uint32(0)))
	f.Fuzz(func(t *testing.T, templates, data []byte) {
		fuzzed(t, Config{}, v9(1, data), v9(2, templates), v9(3, data), v9(5, templates, data), templates, data)
	})
}

// FuzzIPFIX does the same, over both kinds of transport.
func FuzzIPFIX(f *testing.F) {
	f.Add(set(2, tmpl(256, benchElems()...)), set(256, make([]byte, 120)))
	f.Add(join(set(3, optionsRecordX(257, 1, el(143, 4), el(160, 8), el(305, 4), el(306, 4))), set(2, tmpl(256, el(22, 4), el(161, 4), el(ie.New(ie.ReversePEN, 1), 8)))),
		join(set(257, uint32(1), uint64(testBoot), uint32(1), uint32(99)), set(256, uint32(5), uint32(6), uint64(7))))
	f.Add(set(2, tmpl(256, el(293, variable16)), tmpl(257, el(292, variable16)), tmpl(258, el(291, variable16), el(1, 4))),
		set(256, short(uint8(255), uint16(257), uint16(13), short(uint8(3), uint16(258), short(uint8(3), uint16(1), uint16(4), uint32(9))))))
	f.Add(set(2, tmpl(256, el(ie.New(4711, 1), variable16), el(154, 8), el(156, 8), el(150, 4), el(320, 8), el(434, 4), el(276, 1), el(56, 6))),
		set(256, uint8(255), uint16(3), "abc", ntp64(arrival), ntp64(arrival), uint32(5), make([]byte, 19)))
	f.Add(set(2, tmpl(2), tmpl(256), tmpl(256, el(ie.SamplingSpace, 4))), set(3, tmpl(3)))
	f.Fuzz(func(t *testing.T, templates, data []byte) {
		messages := [][]byte{ipfix(0, data), ipfix(0, templates), ipfix(3, data), ipfix(9, templates, data), templates, data}
		fuzzed(t, Config{}, messages...)
		fuzzed(t, Config{Reliable: true, Rate: 100}, messages...)
	})
}

// FuzzFixed gives messages of NetFlow v1, v5 and v7, behind their version.
func FuzzFixed(f *testing.F) {
	for _, version := range []int{1, 5, 7} {
		f.Add(fixedMessage(version, fixedRecord{1, 2, 6, 3, 4}, fixedRecord{0, 0x800, 1, 3, 4})[2:])
		f.Add(fixedHeader(version, 65535, 7)[2:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var messages [][]byte
		for _, version := range []uint16{1, 5, 7, 5} {
			messages = append(messages, join(version, body))
		}
		fuzzed(t, Config{}, messages...)
	})
}
