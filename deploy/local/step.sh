#!/usr/bin/env bash
# Runs one step of a longer job with its output in a log file.
#
#   step.sh TITLE LOG COMMAND [ARG...]
#
# Prints TITLE at once and the time it took afterwards. When the command
# fails, prints the command, the last 20 lines of its output and where the
# rest is, and exits with the command's status. Can also be sourced for the
# function.

step() {
	local title=$1 log=$2 begin=$EPOCHREALTIME status=0 tenths
	shift 2
	mkdir -p "$(dirname "$log")"
	printf '%-58s' "$title"
	"$@" >"$log" 2>&1 </dev/null || status=$?
	tenths=$(((${EPOCHREALTIME/[.,]/} - ${begin/[.,]/}) / 100000))
	if ((status == 0)); then
		printf '%4d.%d s\n' $((tenths / 10)) $((tenths % 10))
		return 0
	fi
	printf 'failed\n'
	{
		printf 'command: %s (status %d)\n' "$*" "$status"
		tail -n 20 "$log" | sed 's/^/  | /'
		printf 'log: %s\n' "$log"
	} >&2
	return "$status"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
	step "$@"
fi
