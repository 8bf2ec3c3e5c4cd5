package sharedlist_test

import (
	"testing"

	"go.uber.org/goleak"
)

// A job that outlives its client would write in the name of a process that has ended.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
