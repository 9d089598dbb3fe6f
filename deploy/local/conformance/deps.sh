#!/usr/bin/env bash
# Installs what "make conformance" needs beside the rest of the local stack, into
# $WEIR_DEPS/conformance: a Python environment for NVIDIA's suites, and the library
# that perf_analyzer is linked with.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
deps=${WEIR_DEPS:-$(cd "$here/../../.." && pwd)/.deps}
requirements=$here/../requirements-conformance.txt
source "$here/../step.sh"

# install makes the whole directory anew.
install() {
	local dir=$deps/conformance
	rm -rf "$dir" &&
		/usr/bin/python3.11 -m venv "$dir" &&
		"$dir/bin/pip" install --disable-pip-version-check --only-binary :all: --require-hashes -r "$requirements" &&
		mkdir "$dir/debian" && cd "$dir/debian" &&
		apt-get download libb64-0d &&
		dpkg-deb -x libb64-0d_*.deb . &&
		cp --no-dereference usr/lib/x86_64-linux-gnu/libb64.so.* "$dir/lib/" &&
		cp "$requirements" "$dir/requirements.txt"
}

mkdir -p "$deps/log"
exec 9>"$deps/lock-conformance"
flock 9
cmp -s "$requirements" "$deps/conformance/requirements.txt" ||
	step "Python environment for NVIDIA's suites" "$deps/log/conformance.log" install
