package main

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
)

// conditions are what the figures were measured on.
type conditions struct {
	rounds   int
	golang   string
	platform string
	cpu      string
	cores    int
	kernel   string
	erlang   string
	servers  []string          // what the durable queues of others need
	versions map[string]string // by module path
}

// conditionsHere describes this machine and this program.
func conditionsHere(rounds int, erl *erlang) conditions {
	c := conditions{
		rounds:   rounds,
		golang:   runtime.Version(),
		platform: runtime.GOOS + "/" + runtime.GOARCH,
		cpu:      processor(),
		cores:    runtime.NumCPU(),
		kernel:   release(firstLine("/proc/sys/kernel/osrelease")),
		erlang:   "absent",
		versions: map[string]string{},
	}
	if erl != nil {
		c.erlang = erl.release
	}
	for _, s := range []struct{ name, program string }{{"PostgreSQL", "postgres"}, {"Redis", "redis-server"}} {
		c.servers = append(c.servers, s.name+" "+versionOf(s.program))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			c.versions[m.Path] = m.Version
		}
	}
	return c
}

// versionOf returns the number that a program says of itself.
func versionOf(program string) string {
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return "absent"
	}
	if number := versionNumber.Find(out); number != nil {
		return string(number)
	}
	return unknown
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+`)

const unknown = "unknown"

// processor returns the name of the processor, where the system tells it.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return unknown
	}
	defer f.Close() //nolint:errcheck // it was only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

func firstLine(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return unknown
	}
	line, _, _ := strings.Cut(string(content), "\n")
	return line
}

// release returns the number that a version begins with: what a vendor adds says
// nothing to others.
func release(version string) string {
	number, _, _ := strings.Cut(version, "-")
	return number
}
