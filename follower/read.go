package follower

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/wechat"
)

const (
	pathFollowers = "/cgi-bin/user/get"
	// pageSize is how many openids WeChat puts on a page.
	pageSize = 10_000
	// fewCalls are made without asking whether they are left.
	fewCalls = 10
	// mostRead ends the reading of a list that does not end by itself. No account has as many followers.
	mostRead = 200_000_000
	// mostReadings is how often a list is read from its beginning before it is believed never to end cleanly.
	mostReadings = 3
)

// unclean says that WeChat's list did not end as lists do. To believe it would call gone whoever stands in the rest.
type unclean struct{ text string }

func (e *unclean) Error() string { return e.text }

// begin begins a reading, if WeChat allows as many calls today as it will take.
func (t *tender) begin(ctx context.Context, st state) error {
	if err := t.spare(ctx, st.followers/pageSize+2); err != nil {
		return err
	}
	return t.fenced(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return t.set(ctx, tx, `sync_status = 'running', sync_phase = 'reading', sync_seq = nextval('follower_changes'), sync_cursor = '', sync_read = 0,
			sync_total = NULL, sync_readings = sync_readings + 1, sync_started_at = coalesce(sync_started_at, $3), staged = true`, t.service.now())
	})
}

// spare fails with errTooFewCalls if reading takes that many calls, and the account has not so many left today: what is begun
// had better end on the same day, and the merchant's other systems live on the same 500. If WeChat does not tell, reading
// will. A list too long for a day is begun while most of the day's calls are left.
func (t *tender) spare(ctx context.Context, calls int) error {
	if calls <= fewCalls {
		return nil
	}
	var quota wechat.Quota
	err := t.call(ctx, func(ctx context.Context, token string) (err error) {
		quota, err = t.service.wechat.Quota(ctx, token, pathFollowers)
		return err
	})
	if err == nil && quota.DailyLimit > 0 && quota.Remain < min(calls, quota.DailyLimit*4/5) {
		return errTooFewCalls
	}
	return nil
}

// readPage reads the next page of WeChat's list and stores it apart from the directory.
func (t *tender) readPage(ctx context.Context, st state) error {
	var page wechat.OpenIDPage
	err := t.call(ctx, func(ctx context.Context, token string) (err error) {
		page, err = t.service.wechat.Followers(ctx, token, st.cursor)
		return err
	})
	if wechat.IsBadOpenID(err) && st.cursor != "" {
		return &unclean{"WeChat takes no longer the openid at which the next page begins."} // who left meanwhile
	}
	if err != nil {
		return err
	}
	return t.fenced(ctx, func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO follower_sync_openids (tenant_id, authorizer_id, openid) SELECT $1, $2, o FROM unnest($3::text[]) AS o
			WHERE o <> '' AND octet_length(o) <= $4 ON CONFLICT DO NOTHING`, t.TenantID, t.AuthorizerID, page.OpenIDs, MaxOpenIDLength)
		if err != nil {
			return fmt.Errorf("store page: %w", err)
		}
		fresh := int(tag.RowsAffected())
		ended, err := t.ended(st, page, fresh)
		if err != nil {
			return err
		}
		phase, cursor := "reading", page.Next
		switch {
		case ended:
			phase, cursor = "adding", ""
		case len(page.OpenIDs) == 0:
			cursor = st.cursor // asked for once more
		}
		return t.set(ctx, tx, `sync_phase = $3, sync_cursor = $4, sync_read = $5, sync_total = $6, sync_failures = 0, sync_errcode = NULL, sync_rid = '', sync_error = ''`,
			phase, cursor, st.read+fresh, page.Total)
	})
}

// ended tells whether a page is the last one, of which fresh openids are new. WeChat's total is not what ends a list: it may
// grow and shrink while it is read.
func (t *tender) ended(st state, page wechat.OpenIDPage, fresh int) (bool, error) {
	read := st.read + fresh
	if len(page.OpenIDs) == 0 {
		// An empty page is the end. One that comes before WeChat's total is reached is asked for once more, because much
		// hangs on it: whoever does not stand in the list will be called gone.
		again := read < page.Total && !t.doubted
		t.doubted = again
		return !again, nil
	}
	t.doubted = false
	switch {
	case page.Next == "":
		return true, nil
	case page.Next == st.cursor || fresh == 0:
		// Some servers answer the last page again and again. If nothing is missing it is an end like any other.
		if read >= page.Total {
			return true, nil
		}
		return false, &unclean{fmt.Sprintf("WeChat's list repeated itself after %d of %d openids.", read, page.Total)}
	case read > mostRead:
		return false, &unclean{fmt.Sprintf("WeChat's list did not end after %d openids.", read)}
	}
	return false, nil
}

// call calls WeChat with the account's token.
func (t *tender) call(ctx context.Context, call func(ctx context.Context, token string) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return t.service.authorizers.Call(ctx, t.AuthorizerID, call)
}
