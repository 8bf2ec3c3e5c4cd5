package simulator

import (
	"regexp"
	"time"
)

// ridRecord is what rid/get knows of one call.
type ridRecord struct {
	owner             string // appid whose token the call carried
	at                time.Time
	took              time.Duration
	url               string
	request, response []byte
	clientIP          string
}

// ridLifetime is how long WeChat keeps the record of a call.
const ridLifetime = 7 * 24 * time.Hour

var ridPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{7,8}-[0-9a-f]{7,8}$`)

// getRID is openapi/rid/get: the record of a call that was made with a token of the same owner.
func (s *Server) getRID(q *request) (object, *refusal) {
	rid, no := q.text("rid")
	if no != nil {
		return nil, no
	}
	if !ridPattern.MatchString(rid) {
		return nil, refuse(codeRIDMalformed)
	}
	record, ok := s.rids[rid]
	switch {
	case !ok || s.now().Sub(record.at) > ridLifetime:
		return nil, refuse(codeRIDNotFound)
	case record.owner != q.owner():
		return nil, refuse(codeRIDForeign)
	}
	answer := written()
	answer["request"] = object{
		"invoke_time":   record.at.Unix(),
		"cost_in_ms":    record.took.Milliseconds(),
		"request_url":   record.url,
		"request_body":  string(record.request),
		"response_body": string(record.response),
		"client_ip":     record.clientIP,
	}
	return answer, nil
}
