package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/wechat-steward/steward/api"
)

// blacklistCmd works on the blacklist of an account through the API of a Steward that runs somewhere.
type blacklistCmd struct {
	Block   blacklistBlockCmd   `cmd:"" help:"Block the people of a file. Exit code 0: all are blocked; 1: not all, see what is printed."`
	Unblock blacklistUnblockCmd `cmd:"" help:"Take the people of a file off the blacklist. Exit codes as block has them."`
	List    blacklistListCmd    `cmd:"" help:"Print who is on the blacklist, as far as Steward knows."`
	Export  blacklistExportCmd  `cmd:"" help:"Write the blacklist to a file."`
}

// usageError is a command line that cannot be meant: exit code 2.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// blacklistAccount says which account, where.
type blacklistAccount struct {
	Server  string `required:"" placeholder:"URL" help:"Where Steward is: https://steward.example.com."`
	KeyFile string `placeholder:"FILE" help:"A file that holds an API key. Without it the key is read from STEWARD_KEY."`
	Tenant  string `required:"" placeholder:"ID" help:"The tenant's id."`
	AppID   string `required:"" name:"appid" help:"The official account's appid."`
}

// path is the account's path in the API.
func (a blacklistAccount) path(rest string) string {
	return "/v1/tenants/" + url.PathEscape(a.Tenant) + "/authorizers/" + url.PathEscape(a.AppID) + "/blacklist" + rest
}

func (a blacklistAccount) batchPath(id, rest string) string {
	return "/v1/tenants/" + url.PathEscape(a.Tenant) + "/batches/" + url.PathEscape(id) + rest
}

func (a blacklistAccount) client(p *program) (*apiClient, error) {
	server, err := url.Parse(strings.TrimSuffix(a.Server, "/"))
	if err != nil || server.Host == "" || (server.Scheme != "http" && server.Scheme != "https") || server.User != nil || server.RawQuery != "" {
		return nil, &usageError{"--server has to be an http or https URL, such as https://steward.example.com"}
	}
	key := ""
	if a.KeyFile != "" {
		content, err := os.ReadFile(a.KeyFile)
		if err != nil {
			return nil, &usageError{"--key-file: " + err.Error()}
		}
		key = string(content)
	} else {
		for _, variable := range p.environ {
			if value, is := strings.CutPrefix(variable, "STEWARD_KEY="); is {
				key = value
			}
		}
	}
	key = strings.TrimSpace(key)
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, &usageError{"a key is needed: name a file that holds one with --key-file, or set STEWARD_KEY"}
	}
	return newAPIClient(server.String(), key), nil
}

// blacklistFile is what block and unblock have in common.
type blacklistFile struct {
	blacklistAccount `embed:""`

	File           string `required:"" placeholder:"people.csv" help:"CSV: the openids stand in the column openid, or in the first one. -: standard input."`
	Charset        string `enum:",utf-8,gbk,utf-16" default:"" help:"utf-8, gbk or utf-16. Default: Steward finds it out."`
	Reason         string `help:"Why, for those who have no reason in the file."`
	Note           string `help:"A note, for those who have none in the file."`
	DryRun         bool   `help:"Only print what would be done, and which lines of the file are wrong. Exit code 0: none is."`
	Wait           bool   `default:"true" negatable:"" help:"Wait until every openid has its outcome. With --no-wait exit code 0 only says that the batch was taken on."`
	IdempotencyKey string `placeholder:"KEY" help:"Makes it safe to run the same command again. Default: a new one each time."`
}

type blacklistBlockCmd struct {
	blacklistFile `embed:""`

	Until string `placeholder:"TIME" help:"When the blocks end by themselves, for example 2027-01-31T08:00:00+08:00."`
}

// Run implements steward blacklist block.
func (cmd *blacklistBlockCmd) Run(p *program) error {
	query := url.Values{}
	if cmd.Until != "" {
		if _, err := time.Parse(time.RFC3339, cmd.Until); err != nil {
			return &usageError{"--until has to be a time such as 2027-01-31T08:00:00+08:00"}
		}
		query.Set("until", cmd.Until)
	}
	return cmd.run(p, "/block", query)
}

type blacklistUnblockCmd struct {
	blacklistFile `embed:""`
}

// Run implements steward blacklist unblock.
func (cmd *blacklistUnblockCmd) Run(p *program) error { return cmd.run(p, "/unblock", url.Values{}) }

// run sends the file and, if asked to, waits for what comes of it.
func (cmd *blacklistFile) run(p *program, action string, query url.Values) error {
	client, err := cmd.client(p)
	if err != nil {
		return err
	}
	if cmd.Reason != "" {
		query.Set("reason", cmd.Reason)
	}
	if cmd.Note != "" {
		query.Set("note", cmd.Note)
	}
	if cmd.IdempotencyKey == "" {
		cmd.IdempotencyKey = uuid.NewString()
	}
	charset := ""
	if cmd.Charset != "" {
		charset = "; charset=" + cmd.Charset
	}
	file := os.Stdin
	if cmd.File != "-" {
		if file, err = os.Open(cmd.File); err != nil {
			return &usageError{"--file: " + err.Error()}
		}
	}
	defer file.Close()
	sending := newSending(p, file)
	send := func(into any) error {
		defer sending.end()
		return client.send(p.ctx, cmd.path(action)+"?"+query.Encode(), sending, "text/csv"+charset, cmd.IdempotencyKey, into)
	}
	if cmd.DryRun {
		query.Set("dry_run", "true")
		var preview api.Preview
		if err := send(&preview); err != nil {
			return err
		}
		return printPreview(p, preview)
	}
	var batch api.Batch
	if err := send(&batch); err != nil {
		return cmd.sendFailed(p, err)
	}
	fmt.Fprintf(p.stdout, "batch %s: %d openids taken on, %d blank or twice\n", batch.ID, batch.Counts.Total-batch.Counts.Skipped, batch.Counts.Skipped)
	if !cmd.Wait {
		return nil
	}
	return cmd.follow(p, client, batch)
}

// printPreview says what a file would do.
func printPreview(p *program, preview api.Preview) error {
	c := preview.Counts
	table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, count := range []struct {
		name string
		n    int
	}{
		{"total", c.Total},
		{"would change", c.WouldChange},
		{"already so", c.Already},
		{"unknown", c.Unknown},
		{"wished for otherwise", c.PendingOther},
		{"on another account", c.BelongsElsewhere},
		{"wrong lines", c.Malformed},
		{"twice", c.Duplicates},
		{"blank", c.Blank},
	} {
		fmt.Fprintf(table, "%s\t%d\n", count.name, count.n)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, elsewhere := range preview.Elsewhere {
		fmt.Fprintf(p.stdout, "elsewhere\t%s\t%s\n", elsewhere.Openid, elsewhere.Appid)
	}
	for _, wrong := range preview.WrongLines {
		fmt.Fprintf(p.stdout, "wrong\tline %d\t%s\n", wrong.Line, wrong.Why)
	}
	if c.Malformed > 0 {
		return fmt.Errorf("wrong lines: %d; with them the file would be refused as a whole", c.Malformed)
	}
	return nil
}

// sendFailed says what is known of a batch that nobody confirmed.
func (cmd *blacklistFile) sendFailed(p *program, err error) error {
	var refused *refusal
	switch {
	case errors.As(err, &refused) && refused.status < http.StatusInternalServerError:
		return err
	case p.ctx.Err() != nil:
		err = errors.New("interrupted")
	}
	return fmt.Errorf("%v; whether the batch was taken on is not known: run the same command again with --idempotency-key %s, and nothing is done twice",
		err, cmd.IdempotencyKey) //nolint:errorlint // an interrupt is no success, as the cause would be
}

// follow watches the batch to its end.
func (cmd *blacklistFile) follow(p *program, client *apiClient, batch api.Batch) error {
	show := newProgress(p)
	defer show.end()
	failures := 0
	for batch.EndedAt == nil {
		show.update(batch)
		select {
		case <-p.ctx.Done():
			show.end()
			return fmt.Errorf("interrupted; batch %s goes on all the same: GET %s tells how it stands", batch.ID, cmd.batchPath(batch.ID, ""))
		case <-time.After(pollEvery):
		}
		var now api.Batch
		err := client.get(p.ctx, cmd.batchPath(batch.ID, ""), &now)
		if err == nil {
			batch, failures = now, 0
			continue
		}
		var refused *refusal
		isFinal := errors.As(err, &refused) && refused.status < http.StatusInternalServerError
		if failures++; p.ctx.Err() == nil && (isFinal || failures == mostPollFailures) {
			show.end()
			return fmt.Errorf("batch %s goes on, but how it stands cannot be read: %w", batch.ID, err)
		}
	}
	show.update(batch)
	show.end()
	return cmd.conclude(p, client, batch)
}

// conclude prints what was not done.
func (cmd *blacklistFile) conclude(p *program, client *apiClient, batch api.Batch) error {
	c := batch.Counts
	undone := c.Total - c.Skipped - c.Done - c.Already
	if undone == 0 {
		return nil
	}
	if c.Failed > 0 {
		err := client.lines(p.ctx, cmd.batchPath(batch.ID, "/items/export?format=ndjson&outcome=failed"), func(line []byte) error {
			var item api.BatchItem
			if err := json.Unmarshal(line, &item); err != nil {
				return err
			}
			code := ""
			if item.Errcode != nil {
				code = strconv.Itoa(*item.Errcode)
			}
			_, err := fmt.Fprintf(p.stdout, "failed\t%s\t%s\t%s\t%s\n", item.Openid, code, item.Rid, item.Advice)
			return err
		})
		if err != nil {
			return fmt.Errorf("%d of %d openids failed, and which cannot be read: %w", c.Failed, c.Total, err)
		}
	}
	return fmt.Errorf("%d of %d openids were not done: %d failed, %d superseded by later wishes, %d cancelled", undone, c.Total, c.Failed, c.Superseded, c.Cancelled)
}

// ended tells an interrupt from a failure. It is no context.Canceled: that would be exit code 0.
func ended(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return errors.New("interrupted")
	}
	return err
}
