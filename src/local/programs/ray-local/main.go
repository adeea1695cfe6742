// Command ray-local does for `ray-operator local` what Node cannot: it makes certificates, ties a program's life
// to that of its parent, and gives simulated pods a network of their own.
package main

import (
	"fmt"
	"os"
)

const usage = `usage:
  ray-local run --parent PID -- PROGRAM ARGS...          end the program as soon as the parent ends
  ray-local certificates < request.json                  write a CA and certificates signed by it
  ray-local pod-network --parent PID FLAGS -- PROGRAM... run the program in a network of simulated pods
`

func main() {
	if len(os.Args) < 2 {
		fail(usage)
	}
	var err error
	switch os.Args[1] {
	case "run":
		err = run(os.Args[2:])
	case "certificates":
		err = certificates(os.Stdin)
	case "pod-network":
		err = podNetwork(os.Args[2:])
	default:
		fail(usage)
	}
	if err != nil {
		fail("ray-local " + os.Args[1] + ": " + err.Error() + "\n")
	}
}

func fail(message string) {
	fmt.Fprint(os.Stderr, message)
	os.Exit(2)
}
