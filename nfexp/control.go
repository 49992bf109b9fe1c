package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"nfpipe/lib/cli"
)

// The control socket takes one command a connection, a line, and answers in text, as softflowd's
// does: softflowctl can talk to it.

// request is a command that waits for its answer.
type request struct {
	command string
	answer  chan string
}

// controller listens on the control socket. The one who meters takes the requests.
type controller struct {
	listener net.Listener
	requests chan request
}

const controlTime = 5 * time.Second // for a client to ask, and to take the answer

// listenControl opens the socket; "none" is none.
func listenControl(path string) (*controller, error) {
	c := &controller{requests: make(chan request)}
	if path == "none" || path == "" {
		return c, nil
	}
	l, err := net.Listen("unix", path)
	if errors.Is(err, os.ErrExist) || err != nil && isStale(path) {
		os.Remove(path)
		l, err = net.Listen("unix", path)
	}
	if err != nil {
		return nil, fmt.Errorf("control socket: %w; -c PATH puts it elsewhere, -c none leaves it out", err)
	}
	os.Chmod(path, 0o600)
	c.listener = l
	go c.serve()
	return c, nil
}

// isStale tells that a socket is there on which nobody listens.
func isStale(path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return false
	}
	conn, err := net.DialTimeout("unix", path, controlTime)
	if err == nil {
		conn.Close()
	}
	return err != nil
}

func (c *controller) close() {
	if c.listener != nil {
		c.listener.Close()
	}
}

func (c *controller) serve() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return
		}
		go c.answer(conn)
	}
}

func (c *controller) answer(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(controlTime))
	line, err := bufio.NewReader(io.LimitReader(conn, 256)).ReadString('\n')
	command := strings.TrimSpace(line)
	if err != nil && (err != io.EOF || command == "") {
		return
	}
	r := request{command, make(chan string, 1)}
	select {
	case c.requests <- r:
		io.WriteString(conn, <-r.answer) // a client that is gone is no matter
	case <-time.After(controlTime):
		io.WriteString(conn, "nfexp does not answer\n")
	}
}

// control sends a command to a running nfexp and prints the answer.
func control(env *cli.Env, path, command string) {
	conn, err := net.DialTimeout("unix", path, controlTime)
	if err != nil {
		env.Errorf("control socket %s: %w", path, cli.Cause(err))
		env.Hintf("nfexp -i IF … makes it; -c PATH says where it is")
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * controlTime))
	if _, err = fmt.Fprintln(conn, command); err == nil {
		_, err = io.Copy(env.Out(), conn)
	}
	if err != nil {
		env.Errorf("control socket %s: %w", path, cli.Cause(err))
	}
}
