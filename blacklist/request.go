package blacklist

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wechat-steward/steward/tenant"
)

// Action is what a batch does.
type Action string

// The actions.
const (
	ActionBlock   Action = "block"
	ActionUnblock Action = "unblock"
)

// want is what an entry should become by the action.
func (a Action) want() string {
	if a == ActionBlock {
		return blocked
	}
	return unblocked
}

// What an entry is, or should be, at WeChat.
const (
	blocked   = "blocked"
	unblocked = "unblocked"
)

// Request says whom to block or unblock.
type Request struct {
	// OpenIDs is at most MaxOpenIDs. White space and invisible characters around an openid are taken off, as files and
	// chats add them; what is empty then, and what comes twice, counts as skipped.
	OpenIDs []string
	// Reason is for people, at most MaxReasonLength characters.
	Reason string
	// Note is for people as well, for what is longer than a reason: at most MaxNoteLength characters.
	Note string
	// Until is when a block ends by itself; nil: never. Not for Unblock.
	Until *time.Time
	// IdempotencyKey makes repeating safe: the same key with the same request gives the batch that the first one made.
	// Empty: each request makes a batch.
	IdempotencyKey string
}

// listed is the openids of a request that are usable, each once, in the order given. seqs holds their places in the
// request, counted from 1.
type listed struct {
	given   int
	openids []string
	seqs    []int32
	// staged is how many openids of a file wait in the database instead, see [stage]; a duplicate counts until the items are written.
	staged int
}

func (l listed) usable() int  { return len(l.openids) + l.staged }
func (l listed) skipped() int { return l.given - l.usable() }

// list cleans the openids of a request.
func list(given []string) (listed, error) {
	if len(given) > MaxOpenIDs {
		return listed{}, &TooManyOpenIDsError{Given: len(given), Limit: MaxOpenIDs}
	}
	l := listed{given: len(given), openids: make([]string, 0, len(given)), seqs: make([]int32, 0, len(given))}
	seen := make(map[string]bool, len(given))
	for i, raw := range given {
		openid := strings.TrimFunc(raw, invisible)
		if openid == "" || seen[openid] {
			continue
		}
		if len(openid) > MaxOpenIDLength || !storable(openid) {
			return listed{}, &InvalidOpenIDError{Index: i}
		}
		seen[openid] = true
		l.openids = append(l.openids, openid)
		l.seqs = append(l.seqs, int32(i+1)) // at most MaxOpenIDs
	}
	return l, nil
}

// invisible tells what to take off both ends of an openid: WeChat refuses one that a "\r" of a Windows file or the
// byte order mark of a spreadsheet's export clings to.
func invisible(r rune) bool {
	switch r {
	case '\uFEFF', '\u200B', '\u200C', '\u200D', '\u2060':
		return true
	}
	return unicode.IsSpace(r) || unicode.IsControl(r) && r != 0
}

// storable tells whether Postgres takes s as text.
func storable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// CheckReason returns [ErrInvalidReason] for a reason that is none.
func CheckReason(reason string) error {
	if utf8.RuneCountInString(reason) > MaxReasonLength || !storable(reason) {
		return ErrInvalidReason
	}
	return nil
}

// check says what is wrong with everything of a request but its openids.
func (r Request) check(action Action, now time.Time) error {
	switch {
	case CheckReason(r.Reason) != nil:
		return ErrInvalidReason
	case utf8.RuneCountInString(r.Note) > MaxNoteLength || !storable(r.Note):
		return ErrInvalidNote
	case r.Until != nil && action == ActionUnblock:
		return ErrUntilOnUnblock
	case r.Until != nil && !r.Until.After(now):
		return ErrUntilPast
	}
	return nil
}

// fingerprint is the same for requests that ask the same of the same account, byte for byte. A note, which requests of older
// versions had none, adds to it only where there is one, so that whoever repeats such a request is understood.
func (r Request) fingerprint(action Action, appid string) []byte {
	until := ""
	if r.Until != nil {
		until = r.Until.UTC().Format(time.RFC3339Nano)
	}
	fields := append([]string{string(action), appid, r.Reason, until}, r.OpenIDs...)
	if r.Note != "" {
		fields = append([]string{"note", r.Note}, fields...)
	}
	return fingerprintOf(fields...)
}

func fingerprintOf(fields ...string) []byte {
	h := sha256.New()
	for _, field := range fields {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(field)))
		h.Write(n[:]) // the length first, so that no two lists of fields run together into the same bytes
		h.Write([]byte(field))
	}
	return h.Sum(nil)
}

// maker is who made a batch or a pull, as stored.
type maker struct {
	Kind, ID, Name string
}

func makerOf(p tenant.Principal) maker {
	return maker{Kind: string(p.Kind), ID: p.ID, Name: p.Name}
}

func (m maker) String() string {
	return tenant.Principal{Kind: tenant.Kind(m.Kind), Name: m.Name}.Actor()
}
