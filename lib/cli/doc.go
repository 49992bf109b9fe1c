// Package cli is the command-line manner that the six tools share: options,
// help, exit codes, messages, signals, terminals, progress and pipes.
//
// A tool is a function of its environment, so that a test can call it with
// buffers:
//
//	func main() { os.Exit(run(cli.OS())) }
//
//	func run(env *cli.Env) int {
//		opts := env.Options(usage)
//		reads := opts.StringArrayP("read", "r", nil, "read `FILE` (repeatable, - is stdin)")
//		if !opts.Parse() {
//			return env.Close()
//		}
//		if err := work(env, *reads); err != nil {
//			env.Error(err)
//		}
//		return env.Close()
//	}
//
// What it promises:
//   - stdout carries data only; all that is said goes to stderr, as
//     "tool: what" in lower case, with "hint: …" lines after it.
//   - The exit code is the worst of what was reported: 0 done, 1 failed,
//     2 wrong usage, 3 done but the input was damaged (failed wins over damaged).
//   - Every write to stdout and its close are checked: Close reports a full disk.
//   - SIGPIPE is left alone, so a closed pipe ends a tool as it ends any other.
//
// Nothing here reads data, so nothing here faces hostile bytes. Env is for one
// goroutine, except Errorf, Error, Warnf, Damagedf and Hintf, which any
// goroutine may call, and a Progress, whose counters are atomic.
package cli
