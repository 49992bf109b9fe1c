package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"nfpipe/lib/spell"
)

// Version is what -V prints.
const Version = "0.1.0"

// Options is the option set of one tool. Short letters combine (-wy, -qn5),
// options and arguments may be mixed, -- ends the options, and a letter takes
// its value from the next argument even if that begins with a minus (-n -5).
// A value may also follow after "=": -A=srcip is -A srcip.
type Options struct {
	*pflag.FlagSet
	env      *Env
	usage    string
	printers []printer
	words    map[string][]string // values that an option with an optional value knows
	hints    map[string]string   // what to say about an option that we do not have
	shell    *string
}

type printer struct {
	name  string
	print func(io.Writer) error
}

// Options begins the option set of a tool; usage is its help text, examples
// first. -h, --help, -V, --version and --completion are there already.
func (e *Env) Options(usage string) *Options {
	o := &Options{
		FlagSet: pflag.NewFlagSet(e.Tool, pflag.ContinueOnError),
		env:     e,
		usage:   strings.TrimLeft(usage, "\n"),
		words:   map[string][]string{},
		hints:   map[string]string{},
	}
	o.SortFlags = false
	o.SetOutput(io.Discard)
	o.Usage = func() {}
	o.Printer("help", "h", "show this help", func(w io.Writer) error {
		_, err := io.WriteString(w, o.usage)
		return err
	})
	o.Printer("version", "V", "show the version", func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s %s\n", e.Tool, Version)
		return err
	})
	o.shell = o.String("completion", "", "print the completion script of `SHELL`: bash, zsh or fish")
	return o
}

// Printer adds an option that prints something and ends the tool, such as
// --help-fields. short may be empty.
func (o *Options) Printer(name, short, usage string, print func(io.Writer) error) {
	o.BoolP(name, short, false, usage)
	o.printers = append(o.printers, printer{name, print})
}

// Optional adds an option whose value may be left out, and then is alone. The
// value is joined to it: --compress=zstd, -z=zstd, and also -zzstd if it begins
// with one of words.
func (o *Options) Optional(name, short, value, alone string, words []string, usage string) *string {
	p := o.StringP(name, short, value, usage)
	o.Lookup(name).NoOptDefVal = alone
	o.words[short] = words
	return p
}

// Instead gives the hint for an option that other programs have and this one
// does not: option is a letter or a long name, without dashes.
func (o *Options) Instead(option, hint string) { o.hints[option] = hint }

// Parse reads the arguments of the environment. False means that the tool is
// to end with env.Close(): help was printed, or wrong usage reported.
func (o *Options) Parse() bool {
	if err := o.FlagSet.Parse(o.split(o.env.Args)); err != nil {
		text, hint := o.explain(err)
		o.env.Usagef("%s", text)
		o.env.Hintf("%s", hint)
		return false
	}
	for _, p := range o.printers {
		if o.Changed(p.name) {
			if err := p.print(o.env.Out()); err != nil {
				o.env.Errorf("%w", err)
			}
			return false
		}
	}
	if o.Changed("completion") {
		if err := o.complete(o.env.Out(), *o.shell); err != nil {
			o.env.Usagef("%v", err)
			o.env.Hintf("source <(%s --completion bash)", o.env.Tool)
		}
		return false
	}
	return true
}

// NoArgs reports arguments that are no options as wrong usage, with the hint
// given, and is true when there were none.
func (o *Options) NoArgs(hint string) bool {
	if o.NArg() == 0 {
		return true
	}
	o.env.Usagef("unexpected argument %q", o.Arg(0))
	o.env.Hintf("%s", hint)
	return false
}

// NoFilter is NoArgs for a tool behind whose options an nfdump user writes a
// filter: the hint is the pipeline that was meant, ready to paste. first says
// that the filter comes before this tool, and so reads the files.
func (o *Options) NoFilter(first bool) bool {
	var reads, others []string
	o.Visit(func(f *pflag.Flag) {
		words := &others
		if f.Name == "read" && first {
			words = &reads
		}
		*words = append(*words, given(f)...)
	})
	words := []string{strings.Join(o.Args(), " ")}
	filter := Quote(append(append([]string{"nffilter"}, reads...), words...)...)
	own := Quote(append([]string{o.env.Tool}, others...)...)
	if first {
		return o.NoArgs(filter + " | " + own)
	}
	return o.NoArgs(own + " | " + filter)
}

// given is an option as it may be written again.
func given(f *pflag.Flag) []string {
	values := []string{f.Value.String()}
	if many, ok := f.Value.(pflag.SliceValue); ok {
		values = many.GetSlice()
	}
	var words []string
	for _, value := range values {
		switch {
		case f.NoOptDefVal == "":
			words = append(words, flagName(f), value)
		case f.NoOptDefVal == value:
			words = append(words, flagName(f))
		default:
			words = append(words, flagName(f)+"="+value)
		}
	}
	return words
}

// split writes -zzstd and -z zstd as -z=zstd, which is the form that pflag
// reads for an optional value, and leaves all else as it is.
func (o *Options) split(args []string) []string {
	if len(o.words) == 0 {
		return args
	}
	out := make([]string, 0, len(args))
	value := false // the argument is the value of the option before it
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" && !value {
			return append(out, args[i:]...)
		}
		if value || len(arg) < 2 || arg[0] != '-' {
			value = false
		} else if arg[1] == '-' {
			f := o.Lookup(arg[2:])
			value = f != nil && f.NoOptDefVal == ""
		} else {
			arg, value = o.splitGroup(arg)
			if !value && i+1 < len(args) && o.takesWord(arg, args[i+1]) {
				i++
				arg += "=" + args[i]
			}
		}
		out = append(out, arg)
	}
	return out
}

// splitGroup is split for one group of letters; value says that the last of
// them takes the next argument.
func (o *Options) splitGroup(arg string) (group string, value bool) {
	for i := 1; i < len(arg); i++ {
		f := o.ShorthandLookup(arg[i : i+1])
		rest := arg[i+1:]
		if f == nil {
			return arg, false
		}
		if f.NoOptDefVal == "" {
			return arg, rest == ""
		}
		for _, word := range o.words[f.Shorthand] {
			if strings.HasPrefix(rest, word) {
				return arg[:i+1] + "=" + rest, false
			}
		}
		if strings.HasPrefix(rest, "=") {
			return arg, false
		}
	}
	return arg, false
}

// takesWord tells whether the last letter of a group has an optional value and
// next is one of the words that it knows, perhaps with a level: zstd:3.
func (o *Options) takesWord(group, next string) bool {
	if strings.Contains(group, "=") {
		return false
	}
	next, _, _ = strings.Cut(next, ":")
	for _, word := range o.words[group[len(group)-1:]] {
		if next == word {
			return true
		}
	}
	return false
}

// explain puts pflag's errors into our words.
func (o *Options) explain(err error) (text, hint string) {
	hint = o.env.Tool + " --help lists the options"
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		text = "unknown option " + dashed(name)
		isLetter := unknown.GetSpecifiedShortnames() != ""
		if near := o.nearest(name); near != "" && !isLetter {
			hint = "did you mean --" + near + "?"
		}
		if h := o.hints[name]; h != "" {
			hint = h
		}
	case errors.As(err, &missing):
		name := missing.GetSpecifiedName()
		text = "option " + dashed(name) + " needs a value"
	case errors.As(err, &invalid):
		text = fmt.Sprintf("option %s: %q: %v", flagName(invalid.GetFlag()), invalid.GetValue(), plainCause(invalid))
	default:
		text = err.Error()
	}
	return text, hint
}

func dashed(name string) string {
	if len([]rune(name)) == 1 {
		return "-" + name
	}
	return "--" + name
}

func flagName(f *pflag.Flag) string {
	if f.Shorthand != "" {
		return "-" + f.Shorthand
	}
	return "--" + f.Name
}

// plainCause takes the name of the parsing function off a number's error.
func plainCause(err *pflag.InvalidValueError) string {
	kind := err.GetFlag().Value.Type()
	cause := errors.Unwrap(err)
	switch {
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"), kind == "count":
		return "not a whole number in range"
	case strings.HasPrefix(kind, "float"):
		return "not a number"
	case kind == "bool":
		return "not true or false"
	case kind == "duration":
		return "not a duration such as 30s or 5m"
	case cause == nil:
		return "not understood"
	}
	return cause.Error()
}

// nearest is the long option at most two edits away from name.
func (o *Options) nearest(name string) string {
	best, at := "", 3
	o.VisitAll(func(f *pflag.Flag) {
		if d := spell.Distance(name, f.Name); d < at && !f.Hidden {
			best, at = f.Name, d
		}
	})
	return best
}
