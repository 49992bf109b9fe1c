package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// cost is what one run of a command line took.
type cost struct {
	wall, cpu time.Duration
	peak      int64 // octets; only of the warm-up run
}

// tools says which programs there are.
type tools struct {
	path string // PATH for the shell
	have map[string]bool
}

var (
	ourTools  = []string{"nfcap", "nfexp", "nfcat", "nffilter", "nfagg", "nfpcap"}
	peerTools = []string{"nfdump", "nfcapd", "nfpcapd", "softflowd", "nfreplay"}
)

// findTools builds our tools, unless the caller has them built, and looks for the peers. A tool that does not build is
// reported and counts as missing.
func findTools(c *config) (t *tools, broken bool, err error) {
	bin := c.bin
	if bin == "" {
		bin = filepath.Join(c.root, "bin")
		for _, name := range ourTools {
			if files, _ := filepath.Glob(filepath.Join(c.root, name, "*.go")); len(files) == 0 {
				continue
			}
			build := exec.Command("go", "build", "-o", filepath.Join(bin, name), "./"+name)
			build.Dir, build.Env = c.root, append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "%s does not build: %v\n%s", name, err, out)
				os.Remove(filepath.Join(bin, name)) // not to measure an old one
				broken = true
			}
		}
	}
	if bin, err = filepath.Abs(bin); err != nil {
		return nil, false, err
	}
	peers := os.Getenv("PATH") + ":/usr/sbin" // where softflowd is
	t = &tools{path: bin + ":" + peers, have: map[string]bool{}}
	for _, name := range ourTools {
		t.have[name] = executable(filepath.Join(bin, name))
	}
	for _, name := range peerTools {
		for _, dir := range filepath.SplitList(peers) {
			t.have[name] = t.have[name] || executable(filepath.Join(dir, name))
		}
	}
	return t, broken, nil
}

// versions prints which peers there are: numbers without that say little.
func (t *tools) versions(w io.Writer) {
	option := map[string]string{"nfdump": "-V", "nfcapd": "-V", "nfpcapd": "-V", "softflowd": "-h", "nfreplay": "-V"}
	for _, name := range peerTools {
		if !t.have[name] {
			fmt.Fprintf(w, "%s is not installed\n", name)
			continue
		}
		said, _ := exec.Command("/bin/sh", "-c", "PATH="+t.path+" "+name+" "+option[name]+" 2>&1").Output()
		for line := range strings.Lines(string(said)) {
			if strings.Contains(strings.ToLower(line), "version") && strings.Contains(line, ".") {
				fmt.Fprintf(w, "%s: %s\n", name, strings.TrimPrefix(strings.TrimSpace(line), name+": "))
				break
			}
		}
	}
	fmt.Fprintf(w, "%d processors\n\n", runtime.NumCPU())
}

func executable(file string) bool {
	fi, err := os.Stat(file)
	return err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0
}

func (t *tools) environment() []string {
	return append(os.Environ(), "PATH="+t.path, "TZ=UTC", "LC_ALL=C")
}

// execute runs a line by the shell in dir with its output in the file out, and watches memory if asked to.
func (t *tools) execute(dir, line, out string, watch bool) (cost, error) {
	file, err := os.Create(out)
	if err != nil {
		return cost{}, err
	}
	defer file.Close()
	var said bytes.Buffer
	sh := exec.Command("/bin/sh", "-c", line)
	sh.Dir, sh.Stdout, sh.Stderr = dir, file, &said
	sh.Env = t.environment()
	start := time.Now()
	if err := sh.Start(); err != nil {
		return cost{}, err
	}
	var peak chan int64
	done := make(chan struct{})
	if watch {
		peak = make(chan int64)
		go func() { peak <- watchMemory(sh.Process.Pid, done) }()
	}
	err = sh.Wait()
	c := cost{wall: time.Since(start)}
	close(done)
	if watch {
		c.peak = <-peak
	}
	// The kernel adds to a process what it waited for: this is the whole pipeline.
	c.cpu = sh.ProcessState.UserTime() + sh.ProcessState.SystemTime()
	if err != nil {
		return c, fmt.Errorf("%s: %w\n%s", line, err, bytes.TrimSpace(said.Bytes()))
	}
	return c, nil
}

// watchMemory looks at the process and all below it every half millisecond, and returns the sum of the peak
// resident sets of the programs. A shell that only waits for others does not count.
func watchMemory(root int, done <-chan struct{}) int64 {
	peaks := map[int]int64{}
	for {
		look(root, peaks)
		select {
		case <-done:
			var sum int64
			for pid, v := range peaks {
				if pid != root || len(peaks) == 1 {
					sum += v
				}
			}
			return sum
		case <-time.After(500 * time.Microsecond):
		}
	}
}

func look(pid int, peaks map[int]int64) {
	proc := "/proc/" + strconv.Itoa(pid)
	if v := highWater(proc + "/status"); v > peaks[pid] {
		peaks[pid] = v
	}
	b, err := os.ReadFile(proc + "/task/" + strconv.Itoa(pid) + "/children")
	if err != nil {
		return
	}
	for _, f := range strings.Fields(string(b)) {
		if child, err := strconv.Atoi(f); err == nil {
			look(child, peaks)
		}
	}
}

// highWater reads VmHWM, the peak resident set, in octets; 0 for a process that is gone.
func highWater(status string) int64 {
	b, err := os.ReadFile(status)
	if err != nil {
		return 0
	}
	_, after, ok := strings.Cut(string(b), "VmHWM:")
	if !ok {
		return 0
	}
	kb, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}
