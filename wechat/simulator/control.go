package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// controlRoutes are the control API below /__sim/. The package documentation lists them.
func (s *Server) controlRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /__sim/state", control(s.controlState))
	mux.Handle("GET /__sim/calls", control(s.controlCalls))
	mux.Handle("DELETE /__sim/calls", control(s.controlResetCalls))
	mux.Handle("GET /__sim/deliveries", control(s.controlDeliveries))
	mux.Handle("DELETE /__sim/deliveries", control(s.controlResetDeliveries))
	mux.Handle("GET /__sim/settings", control(s.controlSettings))
	mux.Handle("POST /__sim/settings", control(s.controlChange))
	mux.Handle("POST /__sim/clock", control(s.controlClock))
	mux.Handle("POST /__sim/expire-tokens", control(s.controlExpire))
	mux.Handle("POST /__sim/quotas", control(s.controlQuota))
	mux.Handle("POST /__sim/ticket", control(s.controlTicket))
	mux.Handle("POST /__sim/events", control(s.controlEvents))
	mux.Handle("POST /__sim/events/release", control(s.controlReleaseHeld))
	mux.Handle("GET /__sim/faults", control(s.controlFaults))
	mux.Handle("POST /__sim/faults", control(s.controlInject))
	mux.Handle("POST /__sim/faults/release", control(s.controlRelease))
	mux.Handle("DELETE /__sim/faults", control(s.controlClearFaults))
	mux.Handle("DELETE /__sim/faults/{id}", control(s.controlClearFaults))
	mux.Handle("POST /__sim/components/{appid}", control(s.controlComponent))
	mux.Handle("POST /__sim/accounts", control(s.controlAddAccount))
	mux.Handle("PATCH /__sim/accounts/{appid}", control(s.controlUpdateAccount))
	mux.Handle("POST /__sim/accounts/{appid}/authorize", control(s.controlAuthorize))
	mux.Handle("POST /__sim/accounts/{appid}/permission-sets", control(s.controlPermissionSets))
	mux.Handle("POST /__sim/accounts/{appid}/revoke", control(s.controlRevoke))
	mux.Handle("GET /__sim/accounts/{appid}/followers", control(s.controlListFollowers))
	mux.Handle("POST /__sim/accounts/{appid}/followers", control(s.controlFollowers))
	mux.Handle("GET /__sim/accounts/{appid}/blacklist", control(s.controlListBlacklist))
	mux.Handle("POST /__sim/accounts/{appid}/blacklist", control(s.controlBlacklist))
	mux.Handle("POST /__sim/accounts/{appid}/messages", control(s.controlMessage))
	mux.HandleFunc("/__sim/", func(w http.ResponseWriter, r *http.Request) {
		writeControl(w, http.StatusNotFound, object{"error": "the control API has no " + r.Method + " " + r.URL.Path})
	})
	return mux
}

// control makes a handler of an action. The body, if there is one, is a JSON object of the shape In; a field that In
// does not have is refused, because a misspelt fault would look like a client without faults.
func control[In any](action func(ctx context.Context, r *http.Request, in In) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in In
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<20)) // a million followers are some 32 MB
		if err == nil && len(body) > 0 {
			err = decodeStrict(body, &in)
		}
		var out any
		if err == nil {
			out, err = action(r.Context(), r, in)
		}
		switch {
		case err == nil:
			writeControl(w, http.StatusOK, out)
		case errors.Is(err, ErrUnknownAccount), errors.Is(err, ErrUnknownComponent):
			writeControl(w, http.StatusNotFound, object{"error": plain(err)})
		default:
			writeControl(w, http.StatusBadRequest, object{"error": plain(err)})
		}
	})
}

func plain(err error) string {
	return strings.TrimPrefix(err.Error(), "simulator: ")
}

func writeControl(w http.ResponseWriter, status int, out any) {
	if out == nil {
		out = object{}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // a client that has gone is no fault of ours
}

// decodeStrict reads one JSON object into the struct that into points to.
func decodeStrict(body []byte, into any) error {
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil && dec.More() {
		err = errors.New("there is something after the JSON object")
	}
	if err == nil {
		return nil
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("unknown field %s; known are: %s", name, strings.Join(fieldNames(reflect.TypeOf(into).Elem()), ", "))
	}
	return fmt.Errorf("the body is not what this call takes: %s", strings.TrimPrefix(err.Error(), "json: "))
}

// fieldNames lists the JSON names of a struct; those of a nested struct are written "answer.errmsg".
func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case name == "-":
		case f.Anonymous:
			names = append(names, fieldNames(inner)...)
		case inner.Kind() == reflect.Struct && inner != reflect.TypeFor[time.Time]():
			for _, n := range fieldNames(inner) {
				names = append(names, name+"."+n)
			}
		default:
			names = append(names, name)
		}
	}
	return names
}

// none is the body of calls that take none.
type none struct{}

func (s *Server) controlCalls(_ context.Context, r *http.Request, _ none) (any, error) {
	type call struct {
		Call
		Body string `json:"body"`
	}
	query := r.URL.Query()
	limit := len(s.Calls())
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, errors.New("limit must be a number")
		}
		limit = n
	}
	calls := []call{}
	for _, c := range s.Calls() {
		if path := query.Get("path"); path != "" && path != c.Path {
			continue
		}
		if appid := query.Get("appid"); appid != "" && appid != c.AppID {
			continue
		}
		calls = append(calls, call{Call: c, Body: string(c.Body)})
	}
	total := len(calls)
	return object{"total": total, "calls": calls[max(0, total-limit):]}, nil
}

func (s *Server) controlResetCalls(context.Context, *http.Request, none) (any, error) {
	s.ResetCalls()
	return nil, nil
}

func (s *Server) controlDeliveries(context.Context, *http.Request, none) (any, error) {
	return object{"deliveries": s.Deliveries()}, nil
}

func (s *Server) controlResetDeliveries(context.Context, *http.Request, none) (any, error) {
	s.ResetDeliveries()
	return nil, nil
}

func (s *Server) controlSettings(context.Context, *http.Request, none) (any, error) {
	return s.Settings(), nil
}

// controlChange takes any part of the settings; what is left out stays.
func (s *Server) controlChange(_ context.Context, _ *http.Request, in json.RawMessage) (any, error) {
	var wrong error
	err := s.Change(func(settings *Settings) {
		next := settings.clone()
		if wrong = decodeStrict(in, &next); wrong == nil {
			*settings = next
		}
	})
	if wrong != nil {
		return nil, wrong
	}
	return s.Settings(), err
}

type clockBody struct {
	AdvanceSeconds int `json:"advance_seconds"`
}

func (s *Server) controlClock(_ context.Context, _ *http.Request, in clockBody) (any, error) {
	if in.AdvanceSeconds <= 0 {
		return nil, errors.New("advance_seconds must be above zero")
	}
	s.AdvanceClock(time.Duration(in.AdvanceSeconds) * time.Second)
	return object{"now": s.Now().UTC()}, nil
}

type expireBody struct {
	AppIDs     []string `json:"appids"`
	Superseded bool     `json:"superseded"`
}

func (s *Server) controlExpire(_ context.Context, _ *http.Request, in expireBody) (any, error) {
	if in.Superseded {
		s.SupersedeTokens(in.AppIDs...)
	} else {
		s.ExpireTokens(in.AppIDs...)
	}
	return nil, nil
}

type quotaBody struct {
	AppID string `json:"appid"`
	Path  string `json:"path"`
	Quota
}

func (s *Server) controlQuota(_ context.Context, _ *http.Request, in quotaBody) (any, error) {
	return nil, s.SetQuota(in.AppID, in.Path, in.Quota)
}

func (s *Server) controlFaults(context.Context, *http.Request, none) (any, error) {
	return object{"faults": s.Faults(), "hanging": s.Hanging()}, nil
}

func (s *Server) controlInject(_ context.Context, _ *http.Request, in Fault) (any, error) {
	id, err := s.Inject(in)
	return object{"id": id}, err
}

func (s *Server) controlRelease(context.Context, *http.Request, none) (any, error) {
	s.Release()
	return nil, nil
}

func (s *Server) controlClearFaults(_ context.Context, r *http.Request, _ none) (any, error) {
	if id := r.PathValue("id"); id != "" {
		s.ClearFaults(id)
	} else {
		s.ClearFaults()
	}
	return nil, nil
}
