package sflow_test

import "testing"

// FuzzDecode decodes whatever comes: no panic, as many records as the statistics say, and a
// batch that holds together. Its seeds are the datagrams of these tests.
func FuzzDecode(f *testing.F) {
	for _, p := range whole() {
		f.Add([]byte(p))
	}
	frame := ether("8847 000101ff", packet6(4, packet4(47, append(raw("0000 6558"), ether("86dd", packet6(58, ping6))...))))
	f.Add([]byte(datagram5(compact(header(frame)), compact(headerOf(13, frame[14:])), compact(headerOf(15, frame)))))
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) < 1<<16 {
			attack(t, p)
		}
	})
}
