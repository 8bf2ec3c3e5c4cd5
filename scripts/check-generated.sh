#!/usr/bin/env bash
# Proves that the generated code in the work tree is what `make generate` writes. It compares the files before and
# after rather than asking git, so that it can be used with changes that are not committed yet.
#
# Usage: scripts/check-generated.sh
set -euo pipefail
cd "$(dirname "$0")/.."

sums() {
	local list
	list=$(git -c core.quotePath=false ls-files --cached --others --exclude-standard | sort -u)
	tr '\n' '\0' <<<"$list" | xargs -0 sha256sum 2>/dev/null || true # a file that is deleted has no sum
}

before=$(sums)
make --no-print-directory generate
after=$(sums)
if [ "$before" != "$after" ]; then
	echo 'check-generated: these files were out of date; they are right now, look at them and commit them:'
	diff <(echo "$before") <(echo "$after") | sed -n 's/^[<>] [0-9a-f]*  /  /p' | sort -u
	exit 1
fi
echo 'check-generated: all generated code is up to date'
