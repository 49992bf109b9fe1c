package format

import (
	"strings"

	"nfpipe/lib/ie"
)

// Aggregated is the mode in which records are shown that were aggregated by keys: the keys
// in their order between the times and the counters, set off by two blanks as nfdump does.
func Aggregated(keys []*ie.Field) string {
	var s strings.Builder
	s.WriteString("fmt:%ts %td ")
	for _, k := range keys {
		s.WriteString(" " + tokenOf(k))
	}
	s.WriteString("  %pkt %byt %bps %bpp %fl")
	return s.String()
}

// AggregatedCSV is the same for CSV.
func AggregatedCSV(keys []*ie.Field) string {
	return "csv:" + strings.Join(strings.Fields(strings.TrimPrefix(Aggregated(keys), "fmt:")), ",")
}

// tokenOf finds a token for a field: its own, that of a field with the same values, or the
// field's name in braces.
func tokenOf(f *ie.Field) string {
	if f.Token != "" {
		return "%" + f.Token
	}
	fields := ie.Fields()
	for i := range fields {
		g := &fields[i]
		if g.Token != "" && g.Kind == f.Kind && len(g.Elements) > 0 && len(f.Elements) > 0 && g.Elements[0] == f.Elements[0] {
			return "%" + g.Token
		}
	}
	return "%{" + f.Name + "}"
}
