package blacklist

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/wechat-steward/steward/tenant"
)

// The errors of undoing. With them nothing is written.
var (
	// ErrBatchNotEnded is returned for undoing a batch that is under way.
	ErrBatchNotEnded = errors.New("the batch is still under way")
	// ErrNothingToUndo is returned when a batch has changed nothing, or all that it changed has been changed since.
	ErrNothingToUndo = errors.New("nothing that this batch changed is still as the batch left it")
)

// UndoRequest says how to take a batch back.
type UndoRequest struct {
	Reason         string // see Request
	IdempotencyKey string // see Request
}

// Undo takes back what a batch has changed: whom it blocked is unblocked and the other way round, in a batch of its own whose
// UndoOf is the first one. It is about exactly those openids that the batch changed (done, not already) and about which nobody
// has wished otherwise, or done otherwise at WeChat as far as our copy knows, since. So undoing twice finds nothing the second
// time. A batch under way is refused: cancel it first.
//
// People who are blocked again get back the reason, the note and the end that their block had before: the reason unless the
// request gives another, the end unless it has passed. These stand with their entries and items; the batch knows of none.
//
// The second result and the errors are those of [Service.Block], and the errors above.
func (s *Service) Undo(ctx context.Context, p tenant.Principal, tenantID, batchID uuid.UUID, req UndoRequest) (Batch, bool, error) {
	if err := CheckReason(req.Reason); err != nil {
		return Batch{}, false, err
	}
	return s.follow(ctx, p, tenantID, batchID, sequel{
		verb: "undo", key: req.IdempotencyKey, fingerprint: fingerprintOf("undo", batchID.String(), req.Reason), nothing: ErrNothingToUndo,
		begin: func(former Batch, w *wishes) error {
			w.action, w.reason, w.undoOf = former.Action.opposite(), req.Reason, &former.ID
			if !former.Ended() {
				return ErrBatchNotEnded
			}
			return nil
		},
		outcome: Done, asLeft: true, own: ownOfFormer,
	})
}

func (a Action) opposite() Action {
	if a == ActionBlock {
		return ActionUnblock
	}
	return ActionBlock
}

// ownOfFormer gives the people whom an undo blocks again the reason, the note and the end of the block that the undone batch ended.
func ownOfFormer(undone Batch) string {
	if undone.Action == ActionBlock {
		return `SELECT NULL::text AS reason, NULL::text AS note, NULL::timestamptz AS until`
	}
	return `
		SELECT CASE WHEN @reason = '' THEN nullif(f.reason, '') END AS reason, nullif(f.note, '') AS note, CASE WHEN f.action = 'block' AND f.until > @now THEN f.until END AS until
		FROM (SELECT) one LEFT JOIN LATERAL (` + formerWish("e.wish") + `) f ON true`
}
