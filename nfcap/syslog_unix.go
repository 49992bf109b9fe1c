//go:build unix

package main

import "log/syslog"

// systemLog writes to syslog.
func systemLog() (func(string), error) {
	w, err := syslog.New(syslog.LOG_INFO|syslog.LOG_DAEMON, "nfcap")
	if err != nil {
		return nil, err
	}
	return func(s string) { w.Info(s) }, nil
}
