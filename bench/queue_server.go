package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// sharedEnv is where the cells of one run keep what they need not make again.
const sharedEnv = "BENCH_SHARED"

// has reports whether all programs are found.
func has(programs ...string) bool {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return false
		}
	}
	return true
}

func hasPostgres() bool { return has("postgres", "initdb") }

func hasRedis() bool { return has("redis-server") }

// server is a program that serves one cell, in a folder of its own.
type server struct {
	cmd  *exec.Cmd
	dir  string
	said bytes.Buffer
	quit os.Signal
}

// lowly lets a program run as somebody else, if we are root: PostgreSQL refuses to be.
func lowly(cmd *exec.Cmd, dirs ...string) error {
	if os.Getuid() != 0 {
		return nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return err
		}
	}
	uid, err := strconv.Atoi(who.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(who.Gid)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := os.Chown(dir, uid, gid); err != nil {
			return err
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return nil
}

// startPostgres starts a PostgreSQL with a database of its own.
func startPostgres(dir string) (*server, error) {
	template, err := postgresTemplate(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := runLowly(exec.Command("cp", "-a", template, data), dir); err != nil {
		return nil, err
	}
	s := &server{dir: dir, quit: syscall.SIGQUIT} // at once: nobody needs the database any more
	s.cmd = exec.Command("postgres", "-D", data, "-k", dir, "-h", "", "-c", "logging_collector=off")
	if err := lowly(s.cmd); err != nil {
		return nil, err
	}
	return s, s.start(filepath.Join(dir, ".s.PGSQL.5432"))
}

// postgresTemplate returns a folder with an empty database: that of another cell, or a new
// one.
func postgresTemplate(dir string) (string, error) {
	if shared := os.Getenv(sharedEnv); shared != "" {
		dir = shared
	}
	template := filepath.Join(dir, "template")
	if _, err := os.Stat(template); err == nil {
		return template, nil
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	fresh := template + ".new"
	if err := runLowly(exec.Command("initdb", "-D", fresh, "-A", "trust", "-U", "bench", "--no-sync", "--no-locale", "-E", "UTF8"), dir); err != nil {
		return "", err
	}
	return template, os.Rename(fresh, template)
}

func runLowly(cmd *exec.Cmd, dir string) error {
	if err := lowly(cmd, dir); err != nil {
		return err
	}
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd.Path, err, out)
	}
	return nil
}

// startRedis starts a Redis that syncs whatever it is told before it answers.
func startRedis(dir string) (*server, error) {
	s := &server{dir: dir, quit: syscall.SIGTERM}
	s.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", s.socket(), "--dir", dir,
		"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--daemonize", "no")
	return s, s.start(s.socket())
}

func (s *server) socket() string { return filepath.Join(s.dir, "redis.sock") }

// start returns when the socket is there.
func (s *server) start(socket string) error {
	s.cmd.Dir = s.dir
	s.cmd.Stdout, s.cmd.Stderr = &s.said, &s.said
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for begin := time.Now(); time.Since(begin) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			time.Sleep(300 * time.Millisecond) // it may be there before it answers
			return nil
		}
	}
	return errors.Join(fmt.Errorf("%s does not serve", s.cmd.Path), s.stop(), errors.New(s.said.String()))
}

func (s *server) stop() error {
	if s == nil || s.cmd.Process == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(s.quit); err != nil {
		return err
	}
	_ = s.cmd.Wait() // how it ended is its own business
	return nil
}
