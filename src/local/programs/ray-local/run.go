package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

func run(args []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	parent := flags.Int("parent", 0, "process id of the parent")
	if err := flags.Parse(args); err != nil {
		return err
	}
	runtime.LockOSThread()
	return become(flags.Args(), *parent)
}

// become replaces this process by a program that the kernel kills when the parent ends, however that happens. The
// request survives exec, but it belongs to the calling thread: the caller must have locked it.
func become(command []string, parent int) error {
	if len(command) == 0 {
		return errors.New("no program given")
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0); errno != 0 {
		return errno
	}
	// The parent may have ended before the request was in place.
	if parent != 0 && os.Getppid() != parent {
		return fmt.Errorf("process %d has ended", parent)
	}
	return syscall.Exec(path, command, os.Environ())
}
