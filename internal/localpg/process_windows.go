package localpg

import (
	"context"
	"fmt"
	"strings"
)

// process is a server started by pg_ctl. Nothing here ends it when our program is killed: the next Start in the same
// folder does.
type process struct {
	folder   *folder
	programs Programs
}

func launch(ctx context.Context, dir *folder, programs Programs, settings []string) (*process, error) {
	var options []string
	for _, s := range settings {
		options = append(options, `"`+s+`"`)
	}
	out, err := dir.command(ctx, programs.path("pg_ctl"), "start", "-W", "-D", dir.data(), "-l", dir.logFile(),
		"-o", strings.Join(options, " ")).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("pg_ctl start: %w\n%s", err, out)
	}
	return &process{folder: dir, programs: programs}, nil
}

func (p *process) ended() bool {
	return p.folder.command(context.Background(), p.programs.path("pg_ctl"), "status", "-D", p.folder.data()).Run() != nil
}

func (p *process) stop() error {
	out, err := p.folder.command(context.Background(), p.programs.path("pg_ctl"),
		"stop", "-D", p.folder.data(), "-m", "fast", "-w").CombinedOutput()
	if err != nil {
		return fmt.Errorf("pg_ctl stop: %w\n%s", err, out)
	}
	return nil
}
