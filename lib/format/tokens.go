package format

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"nfpipe/lib/ie"
	"nfpipe/lib/spell"
)

// textModes are the named text formats.
var textModes = map[string]string{
	"line":     "%ts %td %pr %sap -> %dap %pkt %byt %fl",
	"gline":    "%ts %td %pr %gsap -> %gdap %pkt %byt %fl",
	"long":     "%ts %td %pr %sap -> %dap %flg %tos %pkt %byt %fl",
	"glong":    "%ts %td %pr %gsap -> %gdap %flg %tos %pkt %byt %fl",
	"extended": "%ts %td %pr %sap -> %dap %flg %tos %pkt %byt %pps %bps %bpp %fl",
	"biline":   "%ts %td %pr %sap <-> %dap %opkt %ipkt %obyt %ibyt %fl",
	"bilong":   "%ts %td %pr %sap <-> %dap %flg %tos %opkt %ipkt %obyt %ibyt %fl",
	"nsel":     "%ts %evt %xevt %pr %sap -> %dap %xsap -> %xdap %ibyt %obyt",
	"nat":      "%ts %nevt %pr %sap -> %dap %nsap -> %ndap",
}

const csvMode = "%ts,%td,%pr,%sa,%sp,%da,%dp,%pkt,%byt,%fl"

// piece is a token and the text in front of it.
type piece struct {
	lit   string
	field *ie.Field // nil at the end, and for a line break
}

// split parses tokens and free text. A token is % and letters and digits; %% is a percent
// sign, %n a line break, and %{name} any field by its name or that of its element.
func split(spec string) ([]piece, error) {
	var out []piece
	var lit strings.Builder
	for at := 0; at < len(spec); {
		if spec[at] != '%' {
			lit.WriteByte(spec[at])
			at++
			continue
		}
		n, field, err := token(spec[at+1:])
		if err != nil {
			return nil, fmt.Errorf("output format, position %d: %w", at+1, err)
		}
		text := spec[at+1 : at+1+n]
		at += 1 + n
		switch {
		case text == "%":
			lit.WriteByte('%')
		case text == "n":
			lit.WriteByte('\n')
		default:
			out = append(out, piece{lit.String(), field})
			lit.Reset()
		}
		if len(out) > maxTokens {
			return nil, fmt.Errorf("output format: more than %d tokens", maxTokens)
		}
	}
	return append(out, piece{lit: lit.String()}), nil
}

// maxTokens bounds a format.
const maxTokens = 1024

// token reads what follows a percent sign: its length and the field that it means.
func token(s string) (int, *ie.Field, error) {
	switch {
	case strings.HasPrefix(s, "%"):
		return 1, nil, nil
	case strings.HasPrefix(s, "{"):
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return 0, nil, fmt.Errorf("%%{ without }")
		}
		f, ok := ie.FieldByName(s[1:end])
		if !ok {
			return 0, nil, fmt.Errorf("no field %q", s[1:end])
		}
		return end + 1, f, nil
	}
	n := 0
	for n < len(s) && isWord(s[n]) {
		n++
	}
	if s[:n] == "n" {
		return 1, nil, nil
	}
	f, ok := ie.FieldByToken(s[:n])
	if !ok {
		return 0, nil, unknownToken(s[:n])
	}
	return n, f, nil
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// unknownToken names the tokens that look most alike.
func unknownToken(tok string) error {
	if tok == "" {
		return fmt.Errorf("a token must follow %% (%%%% is a percent sign)")
	}
	if f, ok := ie.FieldByName(tok); ok && f.Token != "" {
		return fmt.Errorf("unknown token %%%s: %s is %%%s", tok, f.Name, f.Token)
	} else if ok {
		return fmt.Errorf("unknown token %%%s: write %%{%s}", tok, tok)
	}
	near := nearTokens(tok)
	return fmt.Errorf("unknown token %%%s: near it are %s", tok, strings.Join(near, " "))
}

func nearTokens(tok string) []string {
	type scored struct {
		tok   string
		score int
	}
	var all []scored
	fields := ie.Fields()
	for i := range fields {
		for _, t := range append([]string{fields[i].Token}, fields[i].Tokens...) {
			if t != "" {
				all = append(all, scored{t, spell.Distance(tok, t)})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int { return a.score - b.score })
	var out []string
	for _, s := range all[:min(len(all), 5)] {
		out = append(out, "%"+s.tok)
	}
	return out
}

// compileTokens makes a text mode.
func (p *Printer) compileTokens(spec string) error {
	pieces, err := split(spec)
	if err != nil {
		return err
	}
	var header strings.Builder
	for _, pc := range pieces {
		header.WriteString(blankOut(pc.lit))
		if pc.field == nil {
			p.items = append(p.items, item{lit: pc.lit + "\n"})
			break
		}
		it := p.text(pc.field)
		it.lit = pc.lit
		header.WriteString(it.header)
		p.items = append(p.items, it)
	}
	if !p.o.Quiet {
		p.header = header.String() + "\n"
	}
	return nil
}

// blankOut is what free text becomes in the header: blanks of the same width.
func blankOut(lit string) string {
	parts := strings.Split(lit, "\n")
	for i, s := range parts {
		parts[i] = strings.Repeat(" ", utf8.RuneCountInString(s))
	}
	return strings.Join(parts, "\n")
}

// compileCSV makes a CSV mode. Commas and blanks between the tokens only separate them.
func (p *Printer) compileCSV(spec string) error {
	p.family = familyCSV
	pieces, err := split(spec)
	if err != nil {
		return err
	}
	var names []string
	for _, pc := range pieces {
		if s := strings.Trim(pc.lit, ", \t"); s != "" {
			return fmt.Errorf("output format: CSV has only tokens and commas, not %q", s)
		}
		if pc.field == nil {
			break
		}
		if pc.field.CSV == "" {
			return fmt.Errorf("output format: %%%s is not available in CSV", pc.field.Token)
		}
		it := p.csv(pc.field)
		if len(names) > 0 {
			it.lit = ","
		}
		names = append(names, it.csv)
		p.items = append(p.items, it)
	}
	if len(names) == 0 {
		return fmt.Errorf("output format: CSV without a token")
	}
	p.items = append(p.items, item{lit: "\n"})
	if !p.o.Quiet {
		p.header = strings.Join(names, ",") + "\n"
	}
	return nil
}
