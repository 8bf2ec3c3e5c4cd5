package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/wechat-steward/steward/api"
)

// blacklistFilters are those of the API.
type blacklistFilters struct {
	Actual  string `enum:"blocked,unblocked,unknown,any" default:"blocked" help:"What is the case at WeChat: blocked, unblocked, unknown or any."`
	Prefix  string `help:"Only openids that begin with this."`
	Reason  string `help:"Only with this in the reason."`
	Note    string `help:"Only with this in the note."`
	By      string `help:"Only if whoever asked last has this in the name."`
	Want    string `enum:",blocked,unblocked,nothing" default:"" help:"Only if this was asked for last: blocked, unblocked or nothing."`
	Pending bool   `help:"Only those whose wish has not been sent yet."`
	Failed  bool   `help:"Only those whose last wish WeChat refused."`
}

func (f blacklistFilters) query() url.Values {
	query := url.Values{"actual": {f.Actual}}
	for name, value := range map[string]string{"q": f.Prefix, "reason": f.Reason, "note": f.Note, "by": f.By, "want": f.Want} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for name, value := range map[string]bool{"pending": f.Pending, "failed": f.Failed} {
		if value {
			query.Set(name, "true")
		}
	}
	return query
}

type blacklistListCmd struct {
	blacklistAccount `embed:""`
	blacklistFilters `embed:""`

	Limit int `default:"100" help:"How many at most; 0: all."`
}

// Run implements steward blacklist list.
func (cmd *blacklistListCmd) Run(p *program) error {
	const pageSize = 200
	if cmd.Limit < 0 {
		return &usageError{"--limit has to be 0 or more"}
	}
	client, err := cmd.client(p)
	if err != nil {
		return err
	}
	query := cmd.query()
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "OPENID\tWANT\tACTUAL\tPENDING\tBY\tREASON")
	for printed := 0; cmd.Limit == 0 || printed < cmd.Limit; {
		size := pageSize
		if cmd.Limit > 0 {
			size = min(pageSize, cmd.Limit-printed)
		}
		query.Set("limit", strconv.Itoa(size))
		var page api.BlacklistPage
		if err := client.get(p.ctx, cmd.path("?"+query.Encode()), &page); err != nil {
			return err
		}
		for _, e := range page.Data {
			fmt.Fprintf(table, "%s\t%s\t%s\t%t\t%s\t%s\n", e.Openid, textOr(e.Want), textOr(e.Actual), e.Pending, printable(e.WantedBy), printable(e.Reason))
		}
		if err := table.Flush(); err != nil {
			return err
		}
		if printed += len(page.Data); page.NextCursor == nil {
			break
		}
		query.Set("cursor", *page.NextCursor)
	}
	return nil
}

// textOr is a value that may be missing.
func textOr[T ~string](v *T) string {
	if v == nil {
		return "-"
	}
	return string(*v)
}

// printable is text that somebody wrote somewhere, without what would move the cursor about.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

type blacklistExportCmd struct {
	blacklistAccount `embed:""`
	blacklistFilters `embed:""`

	Format string `enum:"csv,ndjson" default:"csv" help:"csv or ndjson."`
	BOM    bool   `name:"bom" help:"Begin the CSV with a byte order mark, which Excel needs."`
	File   string `default:"-" help:"Where to write; -: standard output."`
}

// Run implements steward blacklist export.
func (cmd *blacklistExportCmd) Run(p *program) error {
	if cmd.BOM && cmd.Format != "csv" {
		return &usageError{"--bom is for --format csv"}
	}
	client, err := cmd.client(p)
	if err != nil {
		return err
	}
	query := cmd.query()
	query.Set("format", cmd.Format)
	if cmd.BOM {
		query.Set("bom", "true")
	}
	path := cmd.path("/export?" + query.Encode())
	if cmd.File == "-" {
		return client.download(p.ctx, path, p.stdout)
	}
	return writeWhole(cmd.File, func(w io.Writer) error { return client.download(p.ctx, path, w) })
}

// writeWhole writes a file that is there under its name only when all of it is.
func writeWhole(name string, write func(io.Writer) error) error {
	part, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".part-*")
	if err != nil {
		return &usageError{"--file: " + err.Error()}
	}
	buffered := bufio.NewWriter(part)
	err = write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	return nil
}
