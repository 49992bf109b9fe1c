// Gen writes the element table of package ie from a directory of registry
// files:
//
//	go run ./lib/ie/gen [-o FILE] DIR
//
// DIR holds IANA's IPFIX and protocol number registries as XML, enterprise
// registries in the same form (netgauze_*.xml) and in that of the libfds
// library (libfds_*.xml). The output depends on their content alone.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("o", "", "write to `FILE` instead of stdout")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: gen [-o FILE] DIR")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(dir, out string) error {
	var b bytes.Buffer
	if err := generate(dir, &b); err != nil {
		return err
	}
	if out == "" {
		_, err := os.Stdout.Write(b.Bytes())
		return err
	}
	return os.WriteFile(out, b.Bytes(), 0o666)
}
