package api

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/tenant"
)

// maxWait is the longest that `Prefer: wait` holds a request.
const maxWait = 60 * time.Second

// waitOf reads `wait=N` out of a Prefer header (RFC 7240). What it does not understand it ignores, as the RFC asks.
func waitOf(prefer *string) time.Duration {
	for preference := range strings.FieldsFuncSeq(orZero(prefer), func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		// What is too large for a number is cut to the largest, and that to what we offer.
		seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 16)
		if err == nil || errors.Is(err, strconv.ErrRange) {
			return min(time.Duration(seconds)*time.Second, maxWait)
		}
	}
	return 0
}

// untilStop is ctx, ended early when the process stops: whoever waits then learns how things stand instead of being cut off.
func (s *server) untilStop(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stopWatching := context.AfterFunc(s.Stopping, cancel)
	return ctx, func() { stopWatching(); cancel() }
}

// await gives what was just taken on time to end. It is taken on whatever becomes of the waiting, so a failure to wait is no
// failure of the request.
func await[T any](ctx context.Context, s *server, taken T, watch, look func(context.Context) (T, error)) T {
	waiting, done := s.untilStop(ctx)
	defer done()
	if later, err := watch(waiting); err == nil {
		return later
	}
	if later, err := look(ctx); err == nil {
		return later
	}
	return taken
}

// batchAnswer is what the two calls that make a batch answer with.
type batchAnswer struct {
	batch    Batch
	whole    BatchOrPreview // the batch once more, in the shape of an answer that could be a preview
	replayed *string
	ended    bool
}

// wishFunc is [blacklist.Service.Block] or [blacklist.Service.Unblock].
type wishFunc func(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, req blacklist.Request) (blacklist.Batch, bool, error)

func (s *server) wish(ctx context.Context, act wishFunc, tenantID, appid string, req blacklist.Request, wait time.Duration) (batchAnswer, error) {
	id, err := parseID(tenantID)
	if err != nil {
		return batchAnswer{}, err
	}
	b, replayed, err := act(ctx, principalOf(ctx), id, appid, req)
	if err != nil {
		return batchAnswer{}, err
	}
	if wait > 0 {
		// Whoever may make a batch may hear what came of it, even with a key that reads no other.
		reader := tenant.System("api")
		b = await(ctx, s, b,
			func(ctx context.Context) (blacklist.Batch, error) {
				return s.Blacklist.WaitBatch(ctx, reader, id, b.ID, wait)
			},
			func(ctx context.Context) (blacklist.Batch, error) { return s.Blacklist.GetBatch(ctx, reader, id, b.ID) })
	}
	a := batchAnswer{batch: batchFrom(b), ended: b.Ended() && wait > 0, replayed: replayedHeader(replayed)}
	err = a.whole.FromBatch(a.batch)
	return a, err
}

func (s *server) Block(ctx context.Context, req BlockRequestObject) (BlockResponseObject, error) {
	act, wish := wishFunc(s.Blacklist.Block), blacklist.Request{}
	query := fileParams{req.Params.Reason, req.Params.Note, req.Params.Until, req.Params.DryRun}
	if body := req.JSONBody; body != nil {
		if err := query.none(); err != nil {
			return nil, err
		}
		wish = blacklist.Request{
			OpenIDs: body.Openids, Reason: orZero(body.Reason), Note: orZero(body.Note), Until: body.Until, IdempotencyKey: orZero(req.Params.IdempotencyKey),
		}
		if orZero(body.DryRun) {
			body, err := s.preview(ctx, req.TenantID, req.Appid, blacklist.ActionBlock, wish)
			return Block200JSONResponse{Body: body}, err
		}
	} else {
		up, err := query.upload(req.Body, req.Params.IdempotencyKey)
		if err != nil {
			return nil, err
		}
		if orZero(query.dryRun) {
			body, err := s.previewFile(ctx, req.TenantID, req.Appid, blacklist.ActionBlock, up)
			return Block200JSONResponse{Body: body}, err
		}
		act = byFile(s.Blacklist.BlockFile, up)
	}
	a, err := s.wish(ctx, act, req.TenantID, req.Appid, wish, waitOf(req.Params.Prefer))
	if err != nil {
		return nil, err
	}
	if a.ended {
		return Block200JSONResponse{Body: a.whole, Headers: Block200ResponseHeaders{IdempotencyReplayed: a.replayed}}, nil
	}
	return Block202JSONResponse{Body: a.batch, Headers: Block202ResponseHeaders{IdempotencyReplayed: a.replayed}}, nil
}

func (s *server) Unblock(ctx context.Context, req UnblockRequestObject) (UnblockResponseObject, error) {
	act, wish := wishFunc(s.Blacklist.Unblock), blacklist.Request{}
	query := fileParams{reason: req.Params.Reason, note: req.Params.Note, dryRun: req.Params.DryRun}
	if body := req.JSONBody; body != nil {
		if err := query.none(); err != nil {
			return nil, err
		}
		wish = blacklist.Request{
			OpenIDs: body.Openids, Reason: orZero(body.Reason), Note: orZero(body.Note), IdempotencyKey: orZero(req.Params.IdempotencyKey),
		}
		if orZero(body.DryRun) {
			body, err := s.preview(ctx, req.TenantID, req.Appid, blacklist.ActionUnblock, wish)
			return Unblock200JSONResponse{Body: body}, err
		}
	} else {
		up, err := query.upload(req.Body, req.Params.IdempotencyKey)
		if err != nil {
			return nil, err
		}
		if orZero(query.dryRun) {
			body, err := s.previewFile(ctx, req.TenantID, req.Appid, blacklist.ActionUnblock, up)
			return Unblock200JSONResponse{Body: body}, err
		}
		act = byFile(s.Blacklist.UnblockFile, up)
	}
	a, err := s.wish(ctx, act, req.TenantID, req.Appid, wish, waitOf(req.Params.Prefer))
	if err != nil {
		return nil, err
	}
	if a.ended {
		return Unblock200JSONResponse{Body: a.whole, Headers: Unblock200ResponseHeaders{IdempotencyReplayed: a.replayed}}, nil
	}
	return Unblock202JSONResponse{Body: a.batch, Headers: Unblock202ResponseHeaders{IdempotencyReplayed: a.replayed}}, nil
}

func (s *server) ListBlacklist(ctx context.Context, req ListBlacklistRequestObject) (ListBlacklistResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	page, err := s.Blacklist.List(ctx, principalOf(ctx), tenantID, req.Appid, blacklist.ListParams{
		Actual: blacklist.Actual(orZero(req.Params.Actual)), Query: orZero(req.Params.Q), Want: string(orZero(req.Params.Want)),
		Drift: blacklist.Drift(orZero(req.Params.Drift)), Pending: req.Params.Pending, Failed: req.Params.Failed, Reason: orZero(req.Params.Reason), Note: orZero(req.Params.Note), By: orZero(req.Params.By),
		Limit: limitOf(req.Params.Limit), Cursor: orZero(req.Params.Cursor),
	})
	if err != nil {
		return nil, err
	}
	return ListBlacklist200JSONResponse{
		Data: mapSlice(page.Entries, entryFrom), NextCursor: nextCursor(page.Next), Total: page.Total, TotalIsAtLeast: page.AtLeast, SyncedAt: stampOrNil(page.SyncedAt),
	}, nil
}

func (s *server) StartPull(ctx context.Context, req StartPullRequestObject) (StartPullResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	p := principalOf(ctx)
	pull, err := s.Blacklist.StartPull(ctx, p, tenantID, req.Appid)
	if err != nil {
		return nil, err
	}
	if wait := waitOf(req.Params.Prefer); wait > 0 {
		pull = await(ctx, s, pull,
			func(ctx context.Context) (blacklist.Pull, error) {
				return s.Blacklist.WaitPull(ctx, p, tenantID, pull.ID, wait)
			},
			func(ctx context.Context) (blacklist.Pull, error) {
				return s.Blacklist.GetPull(ctx, p, tenantID, pull.ID)
			})
		if pull.Ended() {
			return StartPull200JSONResponse(pullFrom(pull)), nil
		}
	}
	return StartPull202JSONResponse(pullFrom(pull)), nil
}

func (s *server) GetPull(ctx context.Context, req GetPullRequestObject) (GetPullResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	pullID, err := parseID(req.PullID)
	if err != nil {
		return nil, err
	}
	pull, err := s.Blacklist.GetPull(ctx, principalOf(ctx), tenantID, pullID)
	if err != nil {
		return nil, err
	}
	if pull.AuthorizerAppID != req.Appid {
		return nil, tenant.ErrNotFound
	}
	return GetPull200JSONResponse(pullFrom(pull)), nil
}

func entryFrom(e blacklist.Entry) BlacklistEntry {
	entry := BlacklistEntry{
		Openid: e.OpenID, Pending: e.Pending, Reason: e.Reason, Note: e.Note, Until: stampOrNil(e.Until), WantedBy: e.WantedBy, WantedAt: stampOrNil(e.WantedAt),
		ActualAt: stampOrNil(e.ActualAt), Errcode: e.ErrCode, Rid: e.RID, Advice: e.Advice,
	}
	if e.Want != "" {
		entry.Want = new(BlacklistEntryWant(e.Want))
	}
	if e.Actual != "" {
		entry.Actual = new(BlacklistEntryActual(e.Actual))
	}
	if e.BatchID != nil {
		entry.BatchID = new(e.BatchID.String())
	}
	return entry
}

func pullFrom(p blacklist.Pull) Pull {
	return Pull{
		ID: p.ID.String(), AuthorizerAppid: p.AuthorizerAppID, Status: PullStatus(p.Status), RequestedBy: p.Actor, Total: p.Total, Read: p.Read,
		Added: p.Added, Removed: p.Removed, Errcode: p.ErrCode, Rid: p.RID, Error: p.Error, Advice: p.Advice,
		CreatedAt: stamp(p.CreatedAt), StartedAt: stampOrNil(p.StartedAt), EndedAt: stampOrNil(p.EndedAt),
	}
}
