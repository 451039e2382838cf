//go:build !linux || !(amd64 || arm64)

package main

import (
	"errors"
	"os/exec"
)

// slowable reports that syncs cannot be held up here.
func slowable() bool { return false }

func slowly(*exec.Cmd) error { return errors.ErrUnsupported }
