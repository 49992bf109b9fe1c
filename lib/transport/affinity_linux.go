package transport

import "golang.org/x/sys/unix"

// steerBySource makes the kernel choose the socket of a group by a hash of the
// packet's source address alone. The program is classic BPF, which needs no
// rights; it returns the number of a socket in the order of their binding.
func steerBySource(fd, sockets int) error {
	const (
		network = 0xfff00000 // SKF_NET_OFF: offsets from the IP header
		load    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		toX     = unix.BPF_MISC | unix.BPF_TAX
		xorX    = unix.BPF_ALU | unix.BPF_XOR | unix.BPF_X
	)
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: network},
		{Code: unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K, K: 4},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 4, Jt: 11},
		{Code: load, K: network + 8}, // IPv6: the four words of the source, one into the other
		{Code: toX},
		{Code: load, K: network + 12},
		{Code: xorX},
		{Code: toX},
		{Code: load, K: network + 16},
		{Code: xorX},
		{Code: toX},
		{Code: load, K: network + 20},
		{Code: xorX},
		{Code: unix.BPF_JMP | unix.BPF_JA, K: 1},
		{Code: load, K: network + 12}, // IPv4
		{Code: unix.BPF_ALU | unix.BPF_MUL | unix.BPF_K, K: 0x9e3779b1}, // neighbours go apart
		{Code: unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K, K: 16},
		{Code: unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K, K: uint32(sockets)},
		{Code: unix.BPF_RET | unix.BPF_A},
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}
