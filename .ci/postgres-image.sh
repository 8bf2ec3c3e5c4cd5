#!/usr/bin/env bash
# Builds a container image of PostgreSQL from the programs installed on this machine, for tests on machines that reach
# no image registry. It answers to the same environment and arguments as the official image, as far as the tests go:
# POSTGRES_USER, POSTGRES_PASSWORD, and "postgres -c name=value …". It is for tests only.
#
# Usage: .ci/postgres-image.sh [IMAGE]     default: steward-test-postgres:MAJOR; the last line of output names it
set -euo pipefail

bin=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
if [ -z "$bin" ]; then
	echo "postgres-image: no /usr/lib/postgresql/*/bin on this machine: apt-get install postgresql" >&2
	exit 1
fi
major=$(basename "$(dirname "$bin")")
image=${1:-steward-test-postgres:$major}

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# copy FILE... puts files and folders at the same place inside the image. Links are followed, so that what is a link to
# /usr on this machine is simply there.
copy() {
	local f
	for f in "$@"; do
		mkdir -p "$root$(dirname "$f")"
		cp -RL "$f" "$root$f"
	done
}

# PostgreSQL was compiled to find its files where the packages put them.
copy "/usr/lib/postgresql/$major/bin/initdb" "/usr/lib/postgresql/$major/bin/postgres" "/usr/lib/postgresql/$major/lib"
copy "/usr/share/postgresql/$major" /usr/share/zoneinfo
rm -rf "$root/usr/lib/postgresql/$major/lib/"{llvmjit*,bitcode,pgxs} # the compiler of queries is as large as all the rest
copy /bin/sh # initdb and the entry point need one

# The libraries that all of these load, and the loader itself.
find "$root/usr/lib/postgresql" "$root/bin/sh" -type f \( -perm -u+x -o -name '*.so' \) -print0 |
	{ xargs -0 ldd 2>/dev/null || true; } | grep -o '/[^ ]*\.so[^ ]*' | sort -u |
	while read -r library; do
		# Our own copies come out of ldd too, with the path of the temporary folder.
		case $library in
		"$root"*) ;;
		*) copy "$library" ;;
		esac
	done

mkdir -p "$root/etc" "$root/tmp" "$root/run" "$root/var/lib/postgresql"
chmod 1777 "$root/tmp" "$root/run" "$root/var/lib/postgresql"
echo 'postgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/sh' >"$root/etc/passwd"
echo 'postgres:x:999:' >"$root/etc/group"

cat >"$root/entrypoint" <<'ENTRYPOINT'
#!/bin/sh
set -eu
umask 077
if [ ! -e "$PGDATA/PG_VERSION" ]; then
	: "${POSTGRES_PASSWORD:?has to be set}"
	printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
	initdb --username="${POSTGRES_USER:-postgres}" --pwfile=/tmp/password --auth=scram-sha-256 \
		--encoding=UTF8 --locale=C --no-sync --no-instructions
	echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
if [ "${1:-}" = postgres ]; then
	shift
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/run "$@"
ENTRYPOINT
chmod 755 "$root/entrypoint" "$root"

tar -C "$root" --owner=0 --group=0 --numeric-owner -c . | docker import \
	--change "ENV PATH=/usr/lib/postgresql/$major/bin:/bin" \
	--change 'ENV PGDATA=/var/lib/postgresql/data' \
	--change 'USER 999:999' \
	--change 'EXPOSE 5432' \
	--change 'ENTRYPOINT ["/entrypoint"]' \
	--change 'CMD ["postgres"]' \
	- "$image" >/dev/null
echo "$image"
