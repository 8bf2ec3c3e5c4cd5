package tenant

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/google/uuid"
)

// ErrInvalidCursor is returned for a cursor that none of our lists gave out.
var ErrInvalidCursor = errors.New("this cursor was not given out by this list: start again without one")

// EncodeCursor packs the sort key of a page's last row into text that callers hand back unread.
func EncodeCursor(parts ...string) string {
	packed, _ := json.Marshal(parts) // strings always marshal
	return base64.RawURLEncoding.EncodeToString(packed)
}

// DecodeCursor unpacks a cursor of n parts. An empty cursor gives n empty parts: the first page.
func DecodeCursor(cursor string, n int) ([]string, error) {
	if cursor == "" {
		return make([]string, n), nil
	}
	packed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, ErrInvalidCursor
	}
	var parts []string
	if err := json.Unmarshal(packed, &parts); err != nil || len(parts) != n {
		return nil, ErrInvalidCursor
	}
	for _, part := range parts {
		if strings.ContainsRune(part, 0) { // which Postgres does not take
			return nil, ErrInvalidCursor
		}
	}
	return parts, nil
}

// DecodeIDCursor unpacks the cursor of a list that goes by id. nil: the first page.
func DecodeIDCursor(cursor string) (*uuid.UUID, error) {
	parts, err := DecodeCursor(cursor, 1)
	if err != nil || parts[0] == "" {
		return nil, err
	}
	id, err := uuid.Parse(parts[0])
	if err != nil {
		return nil, ErrInvalidCursor
	}
	return &id, nil
}

// CutPage makes a page of at most limit rows, and the cursor of the next one if there are more. Whoever reads limit rows and one
// more knows that. key is by what the list goes.
func CutPage[T any](rows []T, limit int, key func(T) string) (page []T, next string) {
	if len(rows) <= limit {
		return rows, ""
	}
	return rows[:limit], EncodeCursor(key(rows[limit-1]))
}
