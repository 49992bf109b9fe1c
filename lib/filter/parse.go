package filter

import (
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"sync"
	"time"

	"nfpipe/lib/ie"
)

// Options is what a filter may need from outside. All of it may be left out; a filter that
// needs what is missing is then an error.
type Options struct {
	Includes fs.FS                                   // for @include; names are passed as written, so it may accept absolute ones
	Resolve  func(host string) ([]netip.Addr, error) // for host names
	Location *time.Location                          // of times without a zone; nil: time.Local
}

// Filter is a parsed filter.
type Filter struct {
	root   *node
	nodes  int
	fields []*ie.Field // of the tests, by slot
	pool   sync.Pool   // of *evaluator
}

// Limits on hostile text.
const (
	maxNesting     = 1000 // parentheses and nots
	maxIncludes    = 10   // files within files
	maxFiles       = 1000 // included in one filter, repetitions counted
	maxIncludeSize = 64 << 20
)

// Parse reads a filter. An empty one matches everything. The error is an *Error.
func Parse(src string, o Options) (*Filter, error) {
	if o.Location == nil {
		o.Location = time.Local
	}
	p := &parser{lexer: &lexer{text: src}, o: o, room: maxIncludeSize}
	root, err := p.whole()
	if err != nil {
		return nil, err
	}
	root.merge()
	root.order()
	f := &Filter{root: root}
	f.number()
	return f, nil
}

// number gives every node its place in the evaluator's state and every field its slot.
func (f *Filter) number() {
	f.root.walk(func(n *node) {
		n.id = f.nodes
		f.nodes++
		if n.op != opTest {
			return
		}
		for i, have := range f.fields {
			if have == n.test.field {
				n.test.slot = i
				return
			}
		}
		n.test.slot = len(f.fields)
		f.fields = append(f.fields, n.test.field)
	})
}

// Fields lists the fields that Eval may look at, those that others are computed from included.
func (f *Filter) Fields() []*ie.Field {
	var out []*ie.Field
	seen := map[string]bool{}
	var add func(x *ie.Field)
	add = func(x *ie.Field) {
		if seen[x.Name] {
			return
		}
		seen[x.Name] = true
		if !x.Derived {
			out = append(out, x)
		}
		from := x.From
		if x.Kind == ie.Counter {
			from = []string{"sampinterval", "sampspace"}
		}
		for _, name := range from {
			if y, ok := ie.FieldByName(name); ok {
				add(y)
			}
		}
	}
	for _, x := range f.fields {
		add(x)
	}
	return out
}

type parser struct {
	*lexer
	o     Options
	depth int // of nesting
	level int // of included files
	files int
	room  int // bytes that included files may still have
}

// whole parses a text to its end.
func (p *parser) whole() (*node, error) {
	t, err := p.peek(0)
	if err != nil {
		return nil, err
	}
	if t.kind == tokEnd {
		return &node{op: opAny}, nil
	}
	n, err := p.expr()
	if err != nil {
		return nil, err
	}
	if t, err = p.peek(0); err != nil {
		return nil, err
	}
	if t.kind == tokEnd {
		return n, nil
	}
	e := p.errorf(t, "unexpected %s", t)
	switch {
	case t.is(")"):
		e.Msg = `")" without "("`
	case t.kind == tokWord:
		e.Hint = `join terms with "and" or "or"`
	}
	return nil, e
}

// expr = conjunction { "or" conjunction }.
func (p *parser) expr() (*node, error) { return p.series(opOr, "or", "||", p.conjunction) }

// conjunction = unary { "and" unary }.
func (p *parser) conjunction() (*node, error) { return p.series(opAnd, "and", "&&", p.unary) }

func (p *parser) series(o op, word, sign string, part func() (*node, error)) (*node, error) {
	var kids []*node
	for {
		n, err := part()
		if err != nil {
			return nil, err
		}
		kids = append(kids, n)
		t, err := p.peek(0)
		if err != nil {
			return nil, err
		}
		if !t.is(word) && !t.is(sign) {
			return join(o, kids...), nil
		}
		p.drop(1)
	}
}

// unary = ( "not" | "!" ) unary | "(" expr ")" | "@include" FILE | term.
func (p *parser) unary() (*node, error) {
	t, err := p.peek(0)
	if err != nil {
		return nil, err
	}
	if p.depth++; p.depth > maxNesting {
		return nil, p.errorf(t, "nested more than %d deep", maxNesting)
	}
	defer func() { p.depth-- }()
	switch {
	case t.is("not") || t.is("!"):
		p.drop(1)
		n, err := p.unary()
		if err != nil {
			return nil, err
		}
		return not(n), nil
	case t.is("("):
		p.drop(1)
		n, err := p.expr()
		if err != nil {
			return nil, err
		}
		end, err := p.peek(0)
		if err != nil {
			return nil, err
		}
		if !end.is(")") {
			e := p.errorf(end, `%s where ")" should follow`, end)
			if end.kind == tokWord {
				e.Hint = `join terms with "and" or "or"`
			}
			return nil, e
		}
		p.drop(1)
		return n, nil
	case t.is("@include"):
		var n *node
		err := p.include(t, func() (err error) {
			n, err = p.whole()
			return err
		})
		return n, err
	}
	return p.term()
}

// include reads a file and calls parse with it in place of the text. A file is a whole of
// its own: "not @include f" is the complement of all that f says.
func (p *parser) include(at token, parse func() error) error {
	// Only the name's own rules apply to it: nothing behind the word may have been cut into
	// tokens yet.
	p.ahead = p.ahead[:0]
	p.at = at.end
	name, err := p.fileName()
	if err != nil {
		return err
	}
	name.pos = min(name.pos, len(p.text))
	if name.text == "" {
		return p.errorf(at, "@include needs the name of a file")
	}
	switch {
	case p.o.Includes == nil:
		return p.errorf(name, "files cannot be included here")
	case p.level >= maxIncludes:
		return p.errorf(name, "files include each other more than %d deep", maxIncludes)
	case p.files >= maxFiles:
		return p.errorf(name, "more than %d files are included", maxFiles)
	}
	text, err := p.readFile(name.text)
	if err != nil {
		return p.errorf(name, "%v", err)
	}
	outer := p.lexer
	p.lexer = &lexer{file: name.text, text: text}
	p.level++
	p.files++
	err = parse()
	p.level--
	p.lexer = outer
	return err
}

func (p *parser) readFile(name string) (string, error) {
	f, err := p.o.Includes.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var text []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := f.Read(buf)
		if text = append(text, buf[:n]...); len(text) > p.room {
			return "", fmt.Errorf("%s: included files have more than %d MiB", name, maxIncludeSize>>20)
		}
		if err != nil {
			if err == io.EOF {
				break
			}
			return "", err
		}
	}
	p.room -= len(text)
	return string(text), nil
}
