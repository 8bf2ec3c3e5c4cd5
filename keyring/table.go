package keyring

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
)

// table is where sealed values are. The place of each is table, column less "_sealed", and the row's key, the parts of a
// composite one joined by "/": the packages that own the tables say the same, and a test proves it.
type table struct {
	name    string
	key     []keyColumn
	columns []string
}

type keyColumn struct{ name, sqlType string }

// tables is every sealed column; a test compares it with the schema.
func tables() []table {
	return []table{
		{"authorizer_tokens", []keyColumn{{"authorizer_id", "uuid"}}, []string{"refresh_token_sealed", "access_token_sealed"}},
		{"component_events", []keyColumn{{"id", "uuid"}}, []string{"body_sealed"}},
		{"component_tokens", []keyColumn{{"component_appid", "text"}}, []string{"access_token_sealed"}},
		{"components", []keyColumn{{"appid", "text"}}, []string{
			"appsecret_sealed", "token_sealed", "aes_key_sealed", "previous_token_sealed", "previous_aes_key_sealed", "ticket_sealed", "previous_ticket_sealed",
		}},
		{"reconciliation_accounts", []keyColumn{{"reconciliation_id", "uuid"}, {"appid", "text"}}, []string{"refresh_token_sealed"}},
	}
}

// sealedRow is a row of a table: its key as text, and its sealed columns in the table's order; nil is NULL.
type sealedRow struct {
	key    []string
	sealed [][]byte
}

func (t table) place(column int, row sealedRow) secret.Place {
	return secret.Place{Table: t.name, Column: strings.TrimSuffix(t.columns[column], "_sealed"), Row: strings.Join(row.key, "/")}
}

func (t table) scan(row pgx.CollectableRow) (sealedRow, error) {
	r := sealedRow{key: make([]string, len(t.key)), sealed: make([][]byte, len(t.columns))}
	var into []any
	for i := range r.key {
		into = append(into, &r.key[i])
	}
	for i := range r.sealed {
		into = append(into, &r.sealed[i])
	}
	return r, row.Scan(into...)
}

// list joins what one of makes of the names of the key's columns.
func (t table) list(one func(n int, k keyColumn) string) string {
	parts := make([]string, len(t.key))
	for n, k := range t.key {
		parts[n] = one(n, k)
	}
	return strings.Join(parts, ", ")
}

// old is the condition that a row holds a value which another key sealed than the one whose prefix is $1.
func (t table) old() string {
	parts := make([]string, len(t.columns))
	for n, column := range t.columns {
		parts[n] = fmt.Sprintf("substring(t.%s FROM 1 FOR %d) <> $1", column, secret.PrefixSize)
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// selectOld reads rows in the order of their keys. $1 is the prefix of the current key, $2 the limit, $3 and so on the key
// after which to begin.
func (t table) selectOld(after bool) string {
	columns := t.list(func(_ int, k keyColumn) string { return "t." + k.name })
	sql := "SELECT " + t.list(func(_ int, k keyColumn) string { return "t." + k.name + "::text" }) + ", t." + strings.Join(t.columns, ", t.") +
		" FROM " + t.name + " t WHERE " + t.old()
	if after {
		sql += " AND (" + columns + ") > (" + t.list(func(n int, k keyColumn) string { return fmt.Sprintf("$%d::%s", n+3, k.sqlType) }) + ")"
	}
	return sql + " ORDER BY " + columns + " LIMIT $2 FOR NO KEY UPDATE"
}

// update writes sealed columns, and touches no other. Its parameters are arrays: the key's columns as text, then the
// sealed ones.
func (t table) update() string {
	var set, arrays, names, match []string
	for n, k := range t.key {
		arrays = append(arrays, fmt.Sprintf("$%d::text[]", n+1))
		names = append(names, k.name)
		match = append(match, fmt.Sprintf("t.%s = u.%s::%s", k.name, k.name, k.sqlType))
	}
	for n, column := range t.columns {
		set = append(set, column+" = u."+column)
		arrays = append(arrays, fmt.Sprintf("$%d::bytea[]", len(t.key)+n+1))
		names = append(names, column)
	}
	return "UPDATE " + t.name + " t SET " + strings.Join(set, ", ") + " FROM unnest(" + strings.Join(arrays, ", ") + ") AS u (" +
		strings.Join(names, ", ") + ") WHERE " + strings.Join(match, " AND ")
}

// updateArgs are the parameters of update.
func (t table) updateArgs(rows []sealedRow) []any {
	keys, sealed := make([][]string, len(t.key)), make([][][]byte, len(t.columns))
	for _, row := range rows {
		for n := range keys {
			keys[n] = append(keys[n], row.key[n])
		}
		for n := range sealed {
			sealed[n] = append(sealed[n], row.sealed[n])
		}
	}
	var args []any
	for _, column := range keys {
		args = append(args, column)
	}
	for _, column := range sealed {
		args = append(args, column)
	}
	return args
}

// countByKey counts, for each prefix, the rows of each column, and those of the table where the column is empty.
func (t table) countByKey() string {
	values := make([]string, len(t.columns))
	for n, column := range t.columns {
		values[n] = fmt.Sprintf("('%s', t.%s)", column, column)
	}
	return fmt.Sprintf(`
		SELECT substring(v.sealed FROM 1 FOR %d) AS prefix, coalesce(v.name, '') AS name, count(DISTINCT t.ctid)
		FROM %s t CROSS JOIN LATERAL (VALUES %s) AS v (name, sealed)
		WHERE v.sealed IS NOT NULL GROUP BY GROUPING SETS ((prefix), (prefix, v.name)) ORDER BY prefix, name`,
		secret.PrefixSize, t.name, strings.Join(values, ", "))
}
