package format

import (
	"io"
	"strconv"
	"time"

	"nfpipe/lib/flow"
)

// Summary is what a run says behind its rows. All of it comes from the caller.
type Summary struct {
	Totals      flow.Totals // of what was printed; its span is the time window if First and Last are 0
	First, Last uint64      // time window, nanoseconds since the epoch

	Processed     uint64 // records looked at
	Passed        uint64 // records that matched
	BlocksSkipped uint64 // frames that were not decoded
	BytesRead     uint64

	System, User, Wall, Runtime time.Duration // Wall 0: the line of times is left out
}

// Write writes the summary as text.
func (s *Summary) Write(w io.Writer, o Options) error {
	_, err := w.Write(s.append(nil, o))
	return err
}

func (s *Summary) append(dst []byte, o Options) []byte {
	show := func(name string, x uint64) {
		dst = append(dst, name...)
		if o.Plain {
			dst = appendUint(dst, x)
		} else {
			dst = appendScaled(dst, x, 0)
		}
	}
	flows, packets, bytes := flow.Sum(&s.Totals.Flows), flow.Sum(&s.Totals.Packets), flow.Sum(&s.Totals.Bytes)
	span := elapsed(s.Totals.First, s.Totals.Last)
	dst = append(dst, "Summary: total flows: "...)
	dst = appendUint(dst, flows)
	show(", total bytes: ", bytes)
	show(", total packets: ", packets)
	show(", avg bps: ", flow.PerSecond(bytes, 8, span))
	show(", avg pps: ", flow.PerSecond(packets, 1, span))
	dst = append(dst, ", avg bpp: "...)
	dst = append(appendUint(dst, ratio(bytes, packets)), '\n')
	dst = s.appendWindow(dst, o)
	dst = appendUint(append(dst, "Total records processed: "...), s.Processed)
	dst = appendUint(append(dst, ", passed: "...), s.Passed)
	dst = appendUint(append(dst, ", Blocks skipped: "...), s.BlocksSkipped)
	dst = append(appendUint(append(dst, ", Bytes read: "...), s.BytesRead), '\n')
	return s.appendTimes(dst)
}

func (s *Summary) appendWindow(dst []byte, o Options) []byte {
	first, last := s.First, s.Last
	if first == 0 && last == 0 {
		first, last = s.Totals.First, s.Totals.Last
	}
	dst = append(dst, "Time window: "...)
	if first == 0 && last == 0 {
		return append(dst, "<unknown>\n"...)
	}
	c := newClock(o.Location)
	dst = append(c.appendMilli(dst, first), " - "...)
	dst = append(c.appendMilli(dst, last), ", Duration:"...)
	return append(appendDuration(dst, elapsed(first, last)), '\n')
}

func (s *Summary) appendTimes(dst []byte) []byte {
	if s.Wall <= 0 {
		return dst
	}
	seconds := func(name string, d time.Duration) {
		dst = strconv.AppendFloat(append(dst, name...), d.Seconds(), 'f', 4, 64)
		dst = append(dst, 's')
	}
	seconds("Sys: ", s.System)
	seconds(" User: ", s.User)
	seconds(" Wall: ", s.Wall)
	dst = append(dst, " flows/second: "...)
	dst = strconv.AppendFloat(dst, float64(s.Processed)/s.Wall.Seconds(), 'f', 1, 64)
	runtime := s.Runtime
	if runtime == 0 {
		runtime = s.Wall
	}
	seconds(" Runtime: ", runtime)
	return append(dst, '\n')
}

// ratio is x/n, 0 of nothing.
func ratio(x, n uint64) uint64 {
	if n == 0 {
		return 0
	}
	return x / n
}
