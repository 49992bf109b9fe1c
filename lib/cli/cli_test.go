package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func testEnv(args ...string) (env *Env, out, said *bytes.Buffer) {
	out, said = new(bytes.Buffer), new(bytes.Buffer)
	return &Env{Tool: "nftool", Args: args, Stdin: strings.NewReader(""), Stdout: out, Stderr: said}, out, said
}

// what a tool of ours could have: switches, values, repeats, an optional value
type parsed struct {
	opts               *Options
	w, y, q            *bool
	n                  *int
	A, z               *string
	t                  *[]string
	memory             Size
	out, said          *bytes.Buffer
	env                *Env
	filter, conclusion string
}

func parse(args ...string) *parsed {
	p := &parsed{}
	p.env, p.out, p.said = testEnv(args...)
	o := p.env.Options("Usage: nftool\n")
	p.opts = o
	p.w = o.BoolP("align", "w", false, "align")
	p.y = o.BoolP("compress", "y", false, "compress")
	p.q = o.BoolP("quiet", "q", false, "quiet")
	p.n = o.IntP("top", "n", 10, "the first `N`")
	p.A = o.StringP("aggregate", "A", "", "fields")
	p.t = o.StringArrayP("timeout", "t", nil, "timeouts")
	p.z = o.Optional("codec", "z", "", "s2", []string{"none", "s2", "zstd"}, "codec")
	p.memory = 1 << 20
	o.Var(&p.memory, "memory", "how much")
	o.Instead("B", "-b does that here")
	ok := o.Parse()
	p.conclusion = fmt.Sprint(ok, " ", p.env.Code())
	p.filter = strings.Join(o.Args(), " ")
	return p
}

func TestOptionForms(t *testing.T) {
	for _, c := range []struct {
		args string // separated by blanks, _ stands for a blank within one
		want string
	}{
		{"-wy", "w y"},
		{"-qn5", "q n=5"},
		{"-n5 -q", "q n=5"},
		{"-n -5", "n=-5"},
		{"-n=7", "n=7"},
		{"--top=7 --top 8", "n=8"},
		{"-A srcip,dstip", "A=srcip,dstip"},
		{"-Asrcip", "A=srcip"},
		{"-A=srcip", "A=srcip"}, // getopt(3) would keep the =
		{"-t tcp=20 -t maxlife=30s", "t=tcp=20|maxlife=30s"},
		{"-t a,b", "t=a,b"}, // a comma does not separate
		{"dst_port_53 -q", "q filter=dst port 53"},
		{"dst -q port 53", "q filter=dst port 53"},
		{"-q -- -n -5", "q filter=-n -5"},
		{"-z", "z=s2"},
		{"-z=zstd:9", "z=zstd:9"},
		{"-zzstd:9", "z=zstd:9"},
		{"-wzzstd", "w z=zstd"},
		{"-wzy", "w y z=s2"},
		{"-z file", "z=s2 filter=file"},
		{"-A -zzstd", "A=-zzstd"},
		{"-n 5 -- -zzstd", "n=5 filter=-zzstd"},
		{"--aggregate -zzstd", "A=-zzstd"},
		{"-A -- -zzstd", "A=-- z=zstd"},
		{"--memory 64M", "memory=64 MiB"},
		{"-", "filter=-"},
	} {
		args := strings.Fields(c.args)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "_", " ")
		}
		p := parse(args...)
		var got []string
		for name, set := range map[string]bool{"w": *p.w, "y": *p.y, "q": *p.q} {
			if set {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		slices.SortFunc(got, func(a, b string) int { return strings.Index("qwy", a) - strings.Index("qwy", b) })
		if p.opts.Changed("top") {
			got = append(got, fmt.Sprint("n=", *p.n))
		}
		if *p.A != "" {
			got = append(got, "A="+*p.A)
		}
		if len(*p.t) > 0 {
			got = append(got, "t="+strings.Join(*p.t, "|"))
		}
		if *p.z != "" {
			got = append(got, "z="+*p.z)
		}
		if p.opts.Changed("memory") {
			got = append(got, "memory="+p.memory.String())
		}
		if p.filter != "" {
			got = append(got, "filter="+p.filter)
		}
		if s := strings.Join(got, " "); s != c.want || p.conclusion != "true 0" || p.said.Len() > 0 {
			t.Errorf("%s: got %s (%s, %q), want %s", c.args, s, p.conclusion, p.said, c.want)
		}
	}
}

func TestWrongUsageIsTwoLines(t *testing.T) {
	const list = "nftool --help lists the options"
	for _, c := range []struct{ args, text, hint string }{
		{"-x", "unknown option -x", list},
		{"-wx", "unknown option -x", list},
		{"-B", "unknown option -B", "-b does that here"},
		{"--quite", "unknown option --quite", "did you mean --quiet?"},
		{"--nothing-like-it", "unknown option --nothing-like-it", list},
		{"-n", "option -n needs a value", list},
		{"-qn", "option -n needs a value", list},
		{"--top", "option --top needs a value", list},
		{"-n ten", `option -n: "ten": not a whole number in range`, list},
		{"--memory lots", `option --memory: "lots": not a size such as 64M`, list},
		{"--completion csh", `no completion for shell "csh"`, "source <(nftool --completion bash)"},
	} {
		p := parse(strings.Fields(c.args)...)
		want := "nftool: " + c.text + "\nhint: " + c.hint + "\n"
		if p.said.String() != want || p.conclusion != "false 2" || p.out.Len() > 0 {
			t.Errorf("%s: %s, stdout %q, stderr\n%swant\n%s", c.args, p.conclusion, p.out, p.said, want)
		}
	}
}

func TestHelpVersionCompletion(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-h", "Usage: nftool\n"},
		{"-wq --help", "Usage: nftool\n"},
		{"-V", "nftool " + Version + "\n"},
		{"--completion bash", "complete -o filenames -F _nftool nftool\n"},
		{"--completion zsh", "'*-n[the first N]:N:_files'"},
		{"--completion fish", "complete -c nftool -l top -s n -r -d 'the first N'\n"},
	} {
		p := parse(strings.Fields(c.args)...)
		code := p.env.Close()
		if code != Done || p.conclusion != "false 0" || p.said.Len() > 0 || !strings.Contains(p.out.String(), c.want) {
			t.Errorf("%s: %s, code %d, stderr %q, stdout %q lacks %q", c.args, p.conclusion, code, p.said, p.out, c.want)
		}
	}
}

// Every option is in the completion of every shell.
func TestCompletionHasAll(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		p := parse("--completion", shell)
		p.env.Close()
		p.opts.VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(p.out.String(), f.Name) {
				t.Errorf("%s: no %s in %s", shell, f.Name, p.out)
			}
		})
	}
}

type filterError struct{}

func (filterError) Error() string { return "filter: unknown word\n  dts port 53\n  ^" }
func (filterError) Hint() string  { return "did you mean dst?" }
func (filterError) ExitCode() int { return Usage }

func TestMessagesAndCodes(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*Env)
		code int
		said string
	}{
		{"nothing", func(e *Env) {}, 0, ""},
		{"warning", func(e *Env) { e.Warnf("%d late", 3) }, 0, "nftool: 3 late\n"},
		{"error", func(e *Env) { e.Errorf("%s: no such file", "x") }, 1, "nftool: x: no such file\n"},
		{"damage", func(e *Env) { e.Damagedf("x: truncated") }, 3, "nftool: x: truncated\n"},
		{"damage, error", func(e *Env) { e.Damagedf("a"); e.Errorf("b") }, 1, "nftool: a\nnftool: b\n"},
		{"error, damage", func(e *Env) { e.Errorf("b"); e.Damagedf("a") }, 1, "nftool: b\nnftool: a\n"},
		{"an error that knows", func(e *Env) { e.Error(fmt.Errorf("-f: %w", filterError{})) }, 2,
			"nftool: -f: filter: unknown word\n  dts port 53\n  ^\nhint: did you mean dst?\n"},
	} {
		env, out, said := testEnv()
		c.do(env)
		if code := env.Close(); code != c.code || said.String() != c.said || out.Len() > 0 {
			t.Errorf("%s: code %d, %q, want %d, %q", c.name, code, said, c.code, c.said)
		}
	}
}

type badWriter struct{ onWrite, onClose error }

func (b badWriter) Write(p []byte) (int, error) { return len(p), b.onWrite }
func (b badWriter) Close() error                { return b.onClose }

func TestCloseReportsWhatWasNotWritten(t *testing.T) {
	full := &os.PathError{Op: "write", Path: "/dev/stdout", Err: errors.New("no space left on device")}
	for _, c := range []struct {
		name string
		w    badWriter
		said string
	}{
		{"good", badWriter{}, ""},
		{"bad write", badWriter{onWrite: full}, "nftool: stdout: no space left on device\n"},
		{"bad close", badWriter{onClose: full}, "nftool: stdout: no space left on device\n"},
	} {
		env, _, said := testEnv()
		env.Stdout = c.w
		io.WriteString(env.Out(), "data")
		code := env.Close()
		if want := min(1, len(c.said)); code != want || said.String() != c.said {
			t.Errorf("%s: code %d, %q, want %d, %q", c.name, code, said, want, c.said)
		}
		if again := env.Close(); again != code {
			t.Errorf("%s: the second Close says %d", c.name, again)
		}
	}
}

func TestInputs(t *testing.T) {
	env, _, _ := testEnv()
	if names, ok := env.Inputs(nil); !ok || !slices.Equal(names, []string{"-"}) {
		t.Errorf("none given: %q, %v", names, ok)
	}
	if names, ok := env.Inputs([]string{"a", "-"}); !ok || !slices.Equal(names, []string{"a", "-"}) {
		t.Errorf("two given: %q, %v", names, ok)
	}
}

func TestNoArgs(t *testing.T) {
	p := parse("-q", "dst", "port")
	if p.opts.NoArgs("pipe it into nffilter") {
		t.Error("arguments were accepted")
	}
	if want := "nftool: unexpected argument \"dst\"\nhint: pipe it into nffilter\n"; p.said.String() != want || p.env.Code() != Usage {
		t.Errorf("%q, code %d", p.said, p.env.Code())
	}
}

func TestNoFilter(t *testing.T) {
	for _, c := range []struct {
		args  []string
		first bool
		hint  string
	}{
		{[]string{"-r", "x.nf", "dst", "port", "53"}, false, "nftool -r x.nf | nffilter 'dst port 53'"},
		{[]string{"-qs", "srcip/bytes", "-r", "a", "-r", "b c", "-z", "proto tcp"}, true,
			"nffilter -r a -r 'b c' 'proto tcp' | nftool -q -s srcip/bytes -z"},
		{[]string{"any"}, true, "nffilter any | nftool"},
	} {
		env, _, said := testEnv(c.args...)
		o := env.Options("")
		o.StringArrayP("read", "r", nil, "")
		o.StringP("stat", "s", "", "")
		o.BoolP("quiet", "q", false, "")
		o.Optional("codec", "z", "", "s2", nil, "")
		if !o.Parse() || o.NoFilter(c.first) {
			t.Errorf("%q: accepted", c.args)
		}
		if !strings.HasSuffix(said.String(), "\nhint: "+c.hint+"\n") || env.Code() != Usage {
			t.Errorf("%q: %q, want %q", c.args, said, c.hint)
		}
	}
}

func TestQuote(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"nfcat", "-r", "a.nf"}, "nfcat -r a.nf"},
		{[]string{"dst port 53"}, "'dst port 53'"},
		{[]string{"it's", "", "$x"}, `'it'\''s' '' '$x'`},
	} {
		if got := Quote(c.args...); got != c.want {
			t.Errorf("%q: %s, want %s", c.args, got, c.want)
		}
	}
}

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		in    string
		bytes int64
		out   string
	}{
		{"0", 0, "0 B"}, {"512", 512, "512 B"}, {"1K", 1024, "1 KiB"}, {"64M", 64 << 20, "64 MiB"},
		{"1.5GiB", 3 << 29, "1.5 GiB"}, {"2gb", 2 << 30, "2 GiB"}, {"1000", 1000, "1000 B"}, {"1T", 1 << 40, "1 TiB"},
	} {
		z, err := ParseSize(c.in)
		if err != nil || int64(z) != c.bytes || z.String() != c.out {
			t.Errorf("%q: %d %s, %v, want %d %s", c.in, z, &z, err, c.bytes, c.out)
		}
	}
	for _, bad := range []string{"", "M", "-1", "lots", "1e30", "NaN", "1P"} {
		if z, err := ParseSize(bad); err == nil {
			t.Errorf("%q is read as %d", bad, z)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := Count(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestStats(t *testing.T) {
	env, out, said := testEnv()
	none := env.Stats(false)
	none.Add("records", 1)
	none.Print()
	if said.Len() > 0 {
		t.Errorf("unasked: %q", said)
	}
	s := env.Stats(true)
	s.Add("records read", 12345)
	s.AddBytes("size", 2048)
	s.Print()
	if want := "nftool: records read    12,345\nnftool: size            2 KiB\nnftool: time "; !strings.HasPrefix(said.String(), want) || out.Len() > 0 {
		t.Errorf("%q, want %q…", said, want)
	}
}

func TestProgressLine(t *testing.T) {
	env, _, said := testEnv()
	p := env.Progress(200 << 20)
	p.Bytes.Store(50 << 20)
	p.Records.Store(1234567)
	if got, want := p.line(2*time.Second), "nftool:  25% of 200 MiB, 1,234,567 records, 25 MiB/s, 6s left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p.total = 0
	if got, want := p.line(2*time.Second), "nftool: 50 MiB, 1,234,567 records, 25 MiB/s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	p.Stop()
	p.Stop()
	if said.Len() > 0 {
		t.Errorf("%q went to what is no terminal", said)
	}
}

func TestProgressLeavesATidyTerminal(t *testing.T) {
	env, _, said := testEnv()
	p := &Progress{env: env, started: time.Now(), done: make(chan struct{})}
	env.progress = p
	p.draw(time.Second)
	env.Warnf("something")
	p.draw(time.Second)
	io.WriteString(env.Out(), "data")
	env.Close()
	p.draw(time.Second) // too late
	const line = "\rnftool: 0 B, 0 B/s\x1b[K"
	if want := line + "\r\x1b[Knftool: something\n" + line + "\r\x1b[K"; said.String() != want {
		t.Errorf("%q, want %q", said, want)
	}
}
