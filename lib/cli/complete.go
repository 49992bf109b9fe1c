package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

// complete writes the completion script of a shell, from the option set.
// Values and arguments are completed as file names, the shell's default.
func (o *Options) complete(w io.Writer, shell string) error {
	switch shell {
	case "bash":
		return o.completeBash(w)
	case "zsh":
		return o.completeZsh(w)
	case "fish":
		return o.completeFish(w)
	}
	return fmt.Errorf("no completion for shell %q", shell)
}

// each calls f for every option that is shown, in the order of definition.
func (o *Options) each(f func(*pflag.Flag)) {
	o.VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			f(flag)
		}
	})
}

func (o *Options) completeBash(w io.Writer) error {
	var names []string
	o.each(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	name := "_" + strings.ReplaceAll(o.env.Tool, "-", "_")
	_, err := fmt.Fprintf(w, `%[1]s() {
	local word=${COMP_WORDS[COMP_CWORD]}
	case $word in
	-*) COMPREPLY=($(compgen -W %[3]s -- "$word")) ;;
	*) COMPREPLY=($(compgen -f -- "$word")) ;;
	esac
}
complete -o filenames -F %[1]s %[2]s
`, name, o.env.Tool, Quote(strings.Join(names, " ")))
	return err
}

func (o *Options) completeZsh(w io.Writer) error {
	// Within _arguments a colon and brackets have a meaning of their own.
	escape := strings.NewReplacer(":", `\:`, "[", `\[`, "]", `\]`)
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %[1]s\n_arguments -s \\\n", o.env.Tool)
	o.each(func(f *pflag.Flag) {
		value, help := pflag.UnquoteUsage(f)
		help = "[" + escape.Replace(help) + "]"
		action := ""
		if f.NoOptDefVal == "" {
			action = ":" + value + ":_files"
		}
		if f.Shorthand != "" {
			fmt.Fprintf(&b, "\t%s \\\n", Quote("*-"+f.Shorthand+help+action))
		}
		fmt.Fprintf(&b, "\t%s \\\n", Quote("*--"+f.Name+help+action))
	})
	b.WriteString("\t'*:file:_files'\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (o *Options) completeFish(w io.Writer) error {
	var b strings.Builder
	o.each(func(f *pflag.Flag) {
		_, help := pflag.UnquoteUsage(f)
		fmt.Fprintf(&b, "complete -c %s -l %s", o.env.Tool, f.Name)
		if f.Shorthand != "" {
			fmt.Fprintf(&b, " -s %s", f.Shorthand)
		}
		if f.NoOptDefVal == "" {
			b.WriteString(" -r")
		}
		fmt.Fprintf(&b, " -d %s\n", Quote(help))
	})
	_, err := io.WriteString(w, b.String())
	return err
}
