package main

import (
	"flag"
	"io"
	"os"
	"testing"
)

// asProgram is the environment variable with which this test binary becomes the program steward: the tests start real
// processes, which can be killed, without building anything twice.
const asProgram = "STEWARD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		// Tests wait most of the time, so two cores can do with more at once; but each has dozens of database connections.
		_ = flag.Set("test.parallel", "5") // go test -parallel still has the last word
		os.Exit(m.Run())
	}
	// The tests hold the other end of our standard input, so no process outlives them, however they end.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	main()
}
