#!/usr/bin/env bash
# Proves that the import rules of .golangci.yml bite: in a module of empty packages with Steward's names, each forbidden
# import is planted and has to be reported, and each allowed one is planted and must not be.
#
# Usage: scripts/check-imports.sh
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
lint=$(go tool -modfile=tools/go.mod -n golangci-lint)

steward=github.com/wechat-steward/steward
own="alert api authorizer blacklist cmd/steward component follower internal/factory internal/localpg internal/testdb keyring lease migrations secret
	sharedlist tenant token wechat wechat/simulator web"
foreign="github.com/jackc/pgx/v5 github.com/labstack/echo/v4 github.com/stretchr/testify
	github.com/testcontainers/testcontainers-go github.com/tink-crypto/tink-go/v2 pgregory.net/rapid example.org/other"

# FILE: imports that lint has to refuse there. A name with a dot is another's, any other is ours.
forbidden='
wechat/x.go              tenant secret component web wechat/simulator internal/testdb github.com/jackc/pgx/v5 example.org/other
wechat/simulator/x.go    tenant authorizer secret internal/testdb github.com/labstack/echo/v4 example.org/other
web/x.go                 api tenant wechat github.com/labstack/echo/v4 example.org/other
secret/x.go              tenant wechat internal/testdb github.com/jackc/pgx/v5 example.org/other
tenant/x.go              wechat component authorizer blacklist api web migrations internal/testdb github.com/labstack/echo/v4
keyring/x.go             tenant component authorizer api wechat migrations internal/testdb github.com/labstack/echo/v4
token/x.go               tenant alert component api wechat/simulator internal/testdb github.com/jackc/pgx/v5 example.org/other
lease/x.go               tenant alert token secret api internal/testdb github.com/jackc/pgx/v5 example.org/other
alert/x.go               component authorizer api secret wechat migrations internal/testdb github.com/labstack/echo/v4
component/x.go           authorizer blacklist api web migrations wechat/simulator internal/testdb github.com/labstack/echo/v4
authorizer/x.go          follower blacklist sharedlist api web migrations wechat/simulator internal/testdb github.com/labstack/echo/v4
follower/x.go            blacklist sharedlist component api web secret migrations wechat/simulator internal/testdb github.com/labstack/echo/v4
blacklist/x.go           sharedlist api web secret migrations wechat/simulator internal/testdb github.com/labstack/echo/v4
sharedlist/x.go          component api web secret migrations wechat/simulator internal/testdb github.com/labstack/echo/v4
api/x.go                 cmd/steward migrations wechat/simulator internal/testdb internal/localpg github.com/jackc/pgx/v5
migrations/x.go          tenant wechat internal/testdb github.com/labstack/echo/v4
cmd/steward/x.go         internal/testdb internal/factory github.com/labstack/echo/v4 github.com/stretchr/testify
cmd/steward/x_test.go    github.com/labstack/echo/v4
blacklist/x_test.go      github.com/labstack/echo/v4
internal/testdb/x.go     tenant api github.com/labstack/echo/v4
internal/localpg/x.go    tenant migrations internal/testdb github.com/labstack/echo/v4
tenant/y.go              github.com/stretchr/testify github.com/testcontainers/testcontainers-go pgregory.net/rapid
'

# FILE: imports that lint has to let pass there.
allowed='
wechat/a_test.go         wechat/simulator internal/testdb github.com/stretchr/testify pgregory.net/rapid
wechat/simulator/a.go    wechat
secret/a.go              github.com/tink-crypto/tink-go/v2
tenant/a.go              secret github.com/jackc/pgx/v5
keyring/a.go             secret github.com/jackc/pgx/v5
keyring/a_test.go        component wechat internal/testdb internal/factory github.com/stretchr/testify
token/a.go               secret wechat
alert/a.go               tenant token github.com/jackc/pgx/v5
component/a.go           alert token tenant secret wechat github.com/jackc/pgx/v5
authorizer/a.go          lease component alert token tenant secret wechat github.com/jackc/pgx/v5
follower/a.go            authorizer token tenant wechat github.com/jackc/pgx/v5
blacklist/a.go           follower authorizer component tenant wechat github.com/jackc/pgx/v5
blacklist/a_test.go      wechat/simulator internal/testdb internal/factory secret github.com/stretchr/testify
sharedlist/a.go          blacklist follower authorizer tenant wechat github.com/jackc/pgx/v5
api/a.go                 sharedlist blacklist follower authorizer component alert token tenant secret wechat web github.com/labstack/echo/v4
api/a_test.go            wechat/simulator internal/testdb github.com/jackc/pgx/v5 github.com/stretchr/testify
migrations/a.go          github.com/jackc/pgx/v5
migrations/a_test.go     internal/testdb
cmd/steward/a.go         api sharedlist blacklist follower authorizer component alert token keyring tenant secret wechat wechat/simulator web migrations internal/localpg github.com/jackc/pgx/v5
cmd/steward/a_test.go    internal/testdb internal/factory github.com/stretchr/testify
internal/testdb/a.go     migrations internal/localpg github.com/testcontainers/testcontainers-go github.com/jackc/pgx/v5
internal/factory/a.go    tenant authorizer wechat/simulator internal/testdb github.com/stretchr/testify
'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cp "$repository/.golangci.yml" .

{
	echo "module $steward"
	echo 'go 1.26'
} >go.mod
for package in $own; do
	mkdir -p "$package"
	echo "package stub" >"$package/stub.go"
done
stub=0
for package in $foreign; do
	stub=$((stub + 1))
	mkdir -p "stub/$stub"
	echo "module $package" >"stub/$stub/go.mod"
	echo 'package stub' >"stub/$stub/stub.go"
	major=$(sed -n 's,.*/v\([0-9]*\)$,\1,p' <<<"$package")
	printf 'require %s v%s.0.0\nreplace %s => ./stub/%s\n' "$package" "${major:-0}" "$package" "$stub" >>go.mod
done

full() {
	case $1 in
	*.*/*) echo "$1" ;;
	*) echo "$steward/$1" ;;
	esac
}

# plant writes the files of a list below plant/, where no import of one package by another makes a cycle, and prints
# "FILE IMPORT" for each. Rules go by the end of a file's path.
plant() {
	local file imports import
	while read -r file imports; do
		[ -n "$file" ] || continue
		mkdir -p "plant/$(dirname "$file")"
		{
			echo 'package stub'
			for import in $imports; do echo "import _ \"$(full "$import")\""; done
		} >"plant/$file"
		for import in $imports; do echo "plant/$file $(full "$import")"; done
	done <<<"$1"
}
plant "$forbidden" | sort -u >want
plant "$allowed" >/dev/null
go vet ./... # the module has to be sound, or lint would complain for other reasons

"$lint" run --default=none --enable-only=depguard --max-issues-per-linter=0 --max-same-issues=0 \
	--output.text.print-issued-lines=false --output.text.colors=false ./... >report 2>errors || true
sed -n "s/^\(plant[^:]*\):[0-9:]* import '\([^']*\)' is not allowed.*/\1 \2/p" report | sort -u >got

if ! diff want got >differences; then
	echo 'check-imports: .golangci.yml does not keep the import rules'
	sed -n -e 's/^< /  not refused: /p' -e 's/^> /  refused, though allowed: /p' differences
	cat errors
	exit 1
fi
echo "check-imports: $(wc -l <want) forbidden imports are refused, $(plant "$allowed" | wc -l) allowed ones pass"
