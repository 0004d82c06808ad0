# shellcheck shell=sh
# build-events.sh: tell build-exporter what a build does, from any POSIX shell (bash, dash, busybox ash).
#
#   . build-events.sh
#   be_start BUILD [--new] [--target T] [--book B] [--jobs N] [--source S] [--deadline EPOCH]
#   be_step PHASE STEP COMMAND...                 run COMMAND as a step; returns its status
#   be_step_start PHASE STEP [--package P] [--version V] [--log FILE]
#   be_step_progress PHASE STEP RATIO [MESSAGE]
#   be_step_end STATUS [EXIT_CODE]                ends the step started last
#   be_milestone NAME; be_note MESSAGE; be_plan FILE; be_end STATUS
#   be_exit STATUS                                for your own EXIT trap: trap 'be_exit $?' EXIT
#
# Every function but be_step returns 0 whatever happens, and none prints on stdout. An event is one line appended to
#   $BUILD_EXPORTER_JOURNAL/<build>/<run>.jsonl
# by one write(); when that fails the build goes on, and one line on stderr says so.
#
# How it is written:
# - Names that begin with _be_ are private. There is no `local` (POSIX has none): a function keeps what must survive
#   a nested step in its positional parameters and hands results back in globals that are read at once.
# - Public functions run their work as `{ … || :; } 2>&-`: `||` keeps the caller's errexit and ERR trap out, a closed
#   stderr keeps his xtrace and the shell's own complaints out. /dev/null is not used: a chroot may not have it yet,
#   and `>/dev/null` by root would make a plain file of that name.
# - A failed redirection ends dash only on a special builtin, so writes are on `printf`, `read` or a brace group.

# A child of another shell may inherit our variables (set -a); they are this shell's own only where it set them.
if [ "${_be_owner-}" != "$$" ]; then
	_be_owner=$$
	_be_open=''     # steps begun by be_step_start, innermost first, a JSON fragment a line
	_be_torn=''     # a newline after a failed write: what was written of that line must not be glued to the next
	_be_run_file='' # the run file that _be_directory and _be_build were taken from
	_be_retry=0     # time before which a missing directory is not made again
	_be_checked=''  # uptime at which the clock base was last compared with date
	_be_warning=''
fi

_be_newline='
'
# Every character that stands for itself in JSON; `]` first and `-` last, as it is used inside a bracket.
# Spelled out, since a range means different characters in different locales.
_be_plain=']ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 !#$%&'"'"'()*+,./:;<=>?@[^_`{|}~-'
_be_10='??????????'
_be_200=$_be_10$_be_10$_be_10$_be_10$_be_10$_be_10$_be_10$_be_10$_be_10$_be_10
_be_200=$_be_200$_be_200
_be_1000=$_be_200$_be_200$_be_200$_be_200$_be_200

# ---------------------------------------------------------------------------------------------------- JSON text

# _be_quote TEXT CHARACTERS BYTES: set _be_quoted to TEXT as it stands between the quotes of a JSON string, cut to
# CHARACTERS (200 or 1000) and to BYTES of output.
_be_quote() {
	case $1 in
	*[!$_be_plain]*) _be_quote_special "$@" ;;
	*)
		_be_quoted=$1
		if [ "${#1}" -gt "$2" ]; then _be_cut "$2"; fi
		;;
	esac
}

# _be_cut CHARACTERS: cut _be_quoted.
_be_cut() {
	case $1 in
	200) _be_quoted=${_be_quoted%"${_be_quoted#$_be_200}"} ;;
	*) _be_quoted=${_be_quoted%"${_be_quoted#$_be_1000}"} ;;
	esac
}

# The same for text with quotes, backslashes, control characters or anything outside ASCII.
_be_quote_special() {
	# where `?` matches a character and not a byte the decoder needs the C locale, and a subshell keeps it to itself
	_be_tables
	case $_be_e_acute in
	??) _be_quote_bytes "$@" ;;
	*) _be_quoted=$(LC_ALL=C && _be_quote_bytes "$@" && printf %s "$_be_quoted") || _be_quoted='' ;;
	esac
}

# Bytes by their number, for shells that have no ord(): made once, by one fork, when first needed.
_be_tables() {
	[ -z "${_be_e_acute-}" ] || return 0
	_be_controls=$(printf '\001\002\003\004\005\006\007\010\011\012\013\014\015\016\017\020\021\022\023\024\025\026\027\030\031\032\033\034\035\036\037\177')
	_be_delete=$(printf '\177')
	_be_e_acute=$(printf '\303\251')
	_be_high=$(printf '\200\201\202\203\204\205\206\207\210\211\212\213\214\215\216\217\220\221\222\223\224\225\226\227\230\231\232\233\234\235\236\237\240\241\242\243\244\245\246\247\250\251\252\253\254\255\256\257\260\261\262\263\264\265\266\267\270\271\272\273\274\275\276\277\300\301\302\303\304\305\306\307\310\311\312\313\314\315\316\317\320\321\322\323\324\325\326\327\330\331\332\333\334\335\336\337\340\341\342\343\344\345\346\347\350\351\352\353\354\355\356\357\360\361\362\363\364\365\366\367\370\371\372\373\374\375\376\377')
}

# _be_quote_bytes TEXT CHARACTERS BYTES: the decoder; `?` must match one byte.
_be_quote_bytes() {
	_be_rest=$1 _be_quoted='' _be_room=$2 _be_bytes=$3
	while [ -n "$_be_rest" ] && [ "$_be_room" -gt 0 ]; do
		_be_piece=${_be_rest%%[!$_be_plain]*}
		if [ -n "$_be_piece" ]; then
			_be_rest=${_be_rest#"$_be_piece"}
			while [ "${#_be_piece}" -gt "$_be_room" ] || [ "${#_be_piece}" -gt "$_be_bytes" ]; do
				_be_piece=${_be_piece%?} _be_rest=''
			done
			_be_width=${#_be_piece} _be_room=$((_be_room - ${#_be_piece} + 1))
		else
			_be_byte=${_be_rest%"${_be_rest#?}"}
			_be_rest=${_be_rest#?}
			_be_quote_byte
		fi
		_be_bytes=$((_be_bytes - _be_width)) _be_room=$((_be_room - 1))
		[ "$_be_bytes" -ge 0 ] || return 0
		_be_quoted=$_be_quoted$_be_piece
	done
}

# Set _be_piece and its _be_width for the special character that begins with _be_byte, taking the rest of it
# from _be_rest; what is not UTF-8 becomes U+FFFD.
_be_quote_byte() {
	case $_be_byte in
	'"' | '\') _be_piece=\\$_be_byte _be_width=2 ;;
	"$_be_newline") _be_piece='\n' _be_width=2 ;;
	"$_be_delete") _be_piece=$_be_byte _be_width=1 ;;
	*)
		_be_prefix=${_be_controls%%"$_be_byte"*}
		if [ "$_be_prefix" != "$_be_controls" ]; then
			_be_hex_escape "$((${#_be_prefix} + 1))"
		else
			_be_sequence
		fi
		;;
	esac
}

# _be_hex_escape NUMBER: the escape of the control character NUMBER (1 to 31).
_be_hex_escape() {
	_be_width=6
	case $1 in
	9) _be_piece='\t' _be_width=2 ;;
	10 | 11 | 12 | 13 | 14 | 15 | 26 | 27 | 28 | 29 | 30 | 31)
		_be_piece='abcdef'
		_be_n=$(($1 % 16 - 10))
		while [ "$_be_n" -gt 0 ]; do _be_piece=${_be_piece#?} _be_n=$((_be_n - 1)); done
		_be_piece="\\u00$(($1 / 16))${_be_piece%"${_be_piece#?}"}"
		;;
	*) _be_piece="\\u00$(($1 / 16))$(($1 % 16))" ;;
	esac
}

# A sequence of UTF-8 whose lead is _be_byte. Numbers are byte values less 128; the table of the Unicode standard
# (3-7, well-formed byte sequences) gives the bounds of the second byte.
_be_sequence() {
	_be_prefix=${_be_high%%"$_be_byte"*}
	_be_n=${#_be_prefix} _be_low=0 _be_top=63
	if [ "$_be_n" -lt 66 ] || [ "$_be_n" -gt 116 ]; then
		_be_piece='\ufffd' _be_width=6
		return 0
	elif [ "$_be_n" -lt 96 ]; then _be_more=1
	elif [ "$_be_n" -lt 112 ]; then _be_more=2
	else _be_more=3; fi
	case $_be_n in
	96) _be_low=32 ;;
	109) _be_top=31 ;;
	112) _be_low=16 ;;
	116) _be_top=15 ;;
	esac
	_be_piece=$_be_byte _be_width=$((_be_more + 1)) _be_after=$_be_rest
	while [ "$_be_more" -gt 0 ]; do
		_be_byte=${_be_after%"${_be_after#?}"}
		_be_after=${_be_after#?}
		_be_prefix=${_be_high%%"$_be_byte"*}
		if [ -z "$_be_byte" ] || [ "${#_be_prefix}" -lt "$_be_low" ] || [ "${#_be_prefix}" -gt "$_be_top" ]; then
			_be_piece='\ufffd' _be_width=6
			return 0
		fi
		_be_piece=$_be_piece$_be_byte _be_more=$((_be_more - 1)) _be_low=0 _be_top=63
	done
	_be_rest=$_be_after
}

# _be_name TEXT: set _be_quoted to TEXT as a name: 200 characters, never empty.
_be_name() {
	_be_quote "${1:--}" 200 1200
}

# _be_number TEXT: set _be_digits to TEXT as a JSON integer of at most nine digits; status 1 where it is none.
_be_number() {
	_be_digits=$1
	case $_be_digits in
	'' | *[!0123456789]*) return 1 ;;
	esac
	while :; do
		case $_be_digits in
		0?*) _be_digits=${_be_digits#0} ;;
		*) break ;;
		esac
	done
	[ "${#_be_digits}" -le 11 ]
}

# ---------------------------------------------------------------------------------------------------------- time

# Set _be_time to now, in Unix seconds with a fraction, and _be_seconds to its whole part; status 1 where no clock
# can be read. bash has a variable for it (with the locale's decimal comma); elsewhere a fork of `date` gives the base
# to which /proc/uptime is added, and is asked again from time to time since clocks are set.
case ${BASH_VERSION-} in
[56789].* | [123456789][0123456789].*)
	_be_now() {
		_be_time=${EPOCHREALTIME-}
		_be_seconds=${_be_time%%[!0123456789]*}
		[ -n "$_be_seconds" ] || _be_now_by_uptime || return 1
		_be_time=$_be_seconds.${_be_time##*[!0123456789]}
	}
	;;
*)
	_be_now() { _be_now_by_uptime; }
	;;
esac

_be_now_by_uptime() {
	_be_uptime=''
	IFS=' ' read -r _be_uptime _be_n </proc/uptime || :
	case $_be_uptime in
	[0123456789]*.[0123456789][0123456789]) ;;
	*)
		_be_date || return 1
		_be_seconds=$_be_date_seconds _be_time=$_be_date_seconds.${_be_date_hundredths:-00}
		return 0
		;;
	esac
	_be_whole=${_be_uptime%.*} _be_hundredths=1${_be_uptime#*.}
	if [ -z "$_be_checked" ] || [ "$((_be_whole - _be_checked))" -ge 30 ]; then
		_be_set_base || return 1
	fi
	_be_add_base
	case $_be_hundredths in
	?) _be_time=$_be_seconds.0$_be_hundredths ;;
	*) _be_time=$_be_seconds.$_be_hundredths ;;
	esac
}

# Set _be_seconds and _be_hundredths to the base plus the uptime just read.
_be_add_base() {
	_be_hundredths=$((_be_base_hundredths + 1${_be_uptime#*.} - 100))
	_be_seconds=$((_be_base + _be_whole + _be_hundredths / 100))
	_be_hundredths=$((_be_hundredths % 100))
}

# Set _be_date_seconds and, where this date knows %N, _be_date_hundredths.
_be_date() {
	_be_date_seconds=$(command date +%s.%N) || return 1
	_be_date_hundredths=${_be_date_seconds#*.}
	_be_date_seconds=${_be_date_seconds%%.*}
	_be_number "$_be_date_seconds" || return 1
	case $_be_date_hundredths in
	*[!0123456789]* | '' | ?) _be_date_hundredths='' ;;
	*) _be_date_hundredths=${_be_date_hundredths%"${_be_date_hundredths#??}"} ;;
	esac
}

# Compare the base with date and set it where the clock was set. A date without a fraction only bounds the time to a
# second: then the base moves no further than it must.
_be_set_base() {
	_be_date || return 1
	if [ -n "$_be_checked" ] && [ "$_be_whole" -ge "$_be_checked" ]; then
		_be_add_base
		if [ -n "$_be_date_hundredths" ]; then
			_be_n=$(((_be_date_seconds - _be_seconds) * 100 + 1$_be_date_hundredths - 100 - _be_hundredths))
		else
			_be_n=$(((_be_date_seconds - _be_seconds) * 100))
			[ "$_be_n" -ge 0 ] || _be_date_hundredths=99
		fi
		_be_checked=$_be_whole
		# the fork itself takes a few hundredths
		if [ "$_be_n" -ge -20 ] && [ "$_be_n" -le 20 ]; then return 0; fi
	fi
	_be_checked=$_be_whole
	_be_base_hundredths=$((1${_be_date_hundredths:-00} - 1${_be_uptime#*.}))
	_be_base=$((_be_date_seconds - _be_whole))
	if [ "$_be_base_hundredths" -lt 0 ]; then
		_be_base_hundredths=$((_be_base_hundredths + 100)) _be_base=$((_be_base - 1))
	fi
}

# _be_run_name SECONDS: set _be_run to the UTC name of a run that starts then (days to a civil date: years begin in
# March, so that the leap day is their last).
_be_run_name() {
	_be_n=$(($1 / 86400 + 719468))
	_be_era=$((_be_n / 146097)) _be_n=$((_be_n % 146097))
	_be_year=$(((_be_n - _be_n / 1460 + _be_n / 36524 - _be_n / 146096) / 365))
	_be_n=$((_be_n - (365 * _be_year + _be_year / 4 - _be_year / 100)))
	_be_month=$(((5 * _be_n + 2) / 153)) _be_year=$((_be_year + _be_era * 400))
	_be_n=$((_be_n - (153 * _be_month + 2) / 5 + 1))
	if [ "$_be_month" -lt 10 ]; then _be_month=$((_be_month + 3)); else _be_month=$((_be_month - 9)) _be_year=$((_be_year + 1)); fi
	_be_run=$(printf '%04d%02d%02dT%02d%02d%02dZ' "$_be_year" "$_be_month" "$_be_n" \
		"$(($1 % 86400 / 3600))" "$(($1 % 3600 / 60))" "$(($1 % 60))")
}

# ------------------------------------------------------------------------------------------------------- writing

# _be_emit EVENT FIELDS: append the event; FIELDS is '' or begins with a comma.
_be_emit() {
	_be_target || return 1
	_be_now || {
		_be_warning='no clock: neither /proc/uptime nor a date command'
		return 1
	}
	_be_append "{\"time\":$_be_time,\"event\":\"$1\",\"build\":\"$_be_build\"$2}"
}

# Set _be_build and _be_directory from the run file; status 1 where there is none to write to.
_be_target() {
	if [ "${BUILD_EXPORTER_RUN_FILE-}" != "$_be_run_file" ]; then
		_be_run_file=$BUILD_EXPORTER_RUN_FILE _be_torn='' _be_retry=0
		_be_directory=${_be_run_file%/*}
		_be_build_name "${_be_directory##*/}"
		# a writer before us may have met a full disk in the middle of a line
		if [ -s "$_be_run_file" ] && [ -f "$_be_run_file" ] && [ -n "$(command tail -c 1 "$_be_run_file")" ]; then _be_torn=$_be_newline; fi
	fi
	case $_be_run_file in
	/*/*.jsonl) ;;
	*)
		_be_warning='events are not recorded: no be_start before, and no BUILD_EXPORTER_RUN_FILE'
		return 1
		;;
	esac
}

# _be_append LINE: append LINE and a newline by one write; make the directory where it is gone. A FIFO or a device is
# left alone: opening it could wait.
_be_append() {
	if [ -e "$_be_run_file" ] && [ ! -f "$_be_run_file" ]; then
		_be_warning="events are not recorded: $_be_run_file is not a regular file"
		return 1
	fi
	if printf %s "$_be_torn$1$_be_newline" >>"$_be_run_file"; then
		_be_torn=''
		return 0
	fi
	if [ ! -d "$_be_directory" ] && [ "$_be_seconds" -ge "$_be_retry" ]; then
		_be_retry=$((_be_seconds + 5))
		if command mkdir -p "$_be_directory" && printf %s "$1$_be_newline" >>"$_be_run_file"; then
			_be_torn=''
			return 0
		fi
	fi
	_be_torn=$_be_newline
	_be_warning="events are lost while this can not be written: $_be_run_file"
	return 1
}

# Say on stderr, once for this run, why events are lost.
_be_warn() {
	if [ -z "${BUILD_EXPORTER_HOOK_WARNED-}" ]; then
		export BUILD_EXPORTER_HOOK_WARNED=1
		printf 'build-events: %s\n' "$_be_warning" >&2 || :
	fi
	_be_warning=''
}

# _be_build_name TEXT: set _be_build to TEXT as the name of a build.
_be_build_name() {
	_be_rest=$1 _be_build=''
	while [ -n "$_be_rest" ] && [ "${#_be_build}" -lt 100 ]; do
		_be_piece=${_be_rest%"${_be_rest#?}"}
		_be_rest=${_be_rest#?}
		case $_be_piece in
		[ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-]) _be_build=$_be_build$_be_piece ;;
		*) case $_be_build in *-) ;; *) _be_build=$_be_build- ;; esac ;;
		esac
	done
	while :; do
		case $_be_build in
		-*) _be_build=${_be_build#-} ;;
		*-) _be_build=${_be_build%-} ;;
		*) break ;;
		esac
	done
	case $_be_build in
	*[!.]*) ;;
	*) _be_build=build ;;
	esac
}

# -------------------------------------------------------------------------------------------------------- events

# be_start BUILD [--new] [--target T] [--book B] [--jobs N] [--source S] [--deadline EPOCH]: begin a run of BUILD, or
# go on with its newest one unless that succeeded; exports BUILD_EXPORTER_RUN_FILE so that child scripts join it.
be_start() {
	{ _be_start "$@" || :; } 2>&-
	[ -z "$_be_warning" ] || _be_warn
}

_be_start() {
	_be_build_name "${1-}"
	[ "$#" -eq 0 ] || shift
	_be_fields='' _be_new=''
	while [ "$#" -gt 0 ]; do
		case $1 in
		--new) _be_new=yes ;;
		--target | --book | --source)
			_be_quote "${2-}" 200 300
			[ -z "$_be_quoted" ] || _be_fields="$_be_fields,\"${1#--}\":\"$_be_quoted\""
			[ "$#" -lt 2 ] || shift
			;;
		--jobs | --deadline)
			_be_deadline=${2-}
			if _be_number "${_be_deadline%%.*}"; then _be_fields="$_be_fields,\"${1#--}\":$_be_digits"; fi
			[ "$#" -lt 2 ] || shift
			;;
		esac
		shift
	done
	_be_open='' _be_run_file=''
	unset BUILD_EXPORTER_HOOK_WARNED
	_be_now || return 1
	_be_journal_directory
	_be_directory=$_be_directory/$_be_build
	BUILD_EXPORTER_RUN_FILE=$(_be_choose_run)
	export BUILD_EXPORTER_RUN_FILE
	_be_run=${BUILD_EXPORTER_RUN_FILE##*/}
	_be_emit build_started ",\"run\":\"${_be_run%.jsonl}\"$_be_fields"
}

# Set _be_directory to the journal: the environment's, else the system's for root, else the user's state directory.
_be_journal_directory() {
	_be_directory=${BUILD_EXPORTER_JOURNAL-}
	if [ -z "$_be_directory" ]; then
		if [ "$(command id -u)" = 0 ]; then
			_be_directory=/var/lib/build-exporter/journal
		else
			_be_directory=${XDG_STATE_HOME:-${HOME-}/.local/state}/build-exporter/journal
		fi
	fi
	case $_be_directory in
	/*) ;;
	*) _be_directory=$PWD/$_be_directory ;;
	esac
}

# Print the path of the run file to use, in a subshell of its own: the newest of _be_directory unless it succeeded or
# _be_new is set, else a new one.
_be_choose_run() {
	set +f
	set -C
	IFS=' '
	command mkdir -p "$_be_directory" || :
	_be_newest=''
	for _be_file in "$_be_directory"/[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z.jsonl; do
		[ ! -f "$_be_file" ] || _be_newest=$_be_file
	done
	if [ -n "$_be_newest" ] && [ -z "$_be_new" ] && ! _be_succeeded "$_be_newest"; then
		printf %s "$_be_newest"
		return 0
	fi
	while :; do
		_be_run_name "$_be_seconds"
		_be_file=$_be_directory/$_be_run.jsonl
		[ -e "$_be_file" ] || break
		_be_seconds=$((_be_seconds + 1))
	done
	printf %s "$_be_file"
}

# _be_succeeded FILE: whether the last build event of FILE says that the run succeeded.
_be_succeeded() {
	case $(command grep -a '"event" *: *"build_[sf]' "$1" | command tail -n 1) in
	*\"build_finished\"*\"status\"*\"succeeded\"*) return 0 ;;
	esac
	return 1
}

# be_step PHASE STEP COMMAND...: run COMMAND as a step and return its status. COMMAND runs in this shell, so a shell
# function keeps its variables. With BE_LOG_DIR its output goes to $BE_LOG_DIR/STEP.log.
be_step() {
	{ _be_step_begin "${1-}" "${2-}" || :; } 2>&-
	[ -z "$_be_warning" ] || _be_warn
	_be_run_command "$@" && set -- "${1-}" "${2-}" 0 || set -- "${1-}" "${2-}" "$?"
	{ _be_step_done "$@" || :; } 2>&-
	[ -z "$_be_warning" ] || _be_warn
	return "$3"
}

_be_run_command() {
	shift
	[ "$#" -eq 0 ] || shift
	"$@"
}

_be_step_begin() {
	_be_name "$1"
	_be_fields=",\"phase\":\"$_be_quoted\""
	_be_name "$2"
	_be_emit step_started "$_be_fields,\"step\":\"$_be_quoted\",\"pid\":$$"
}

# _be_step_done PHASE STEP STATUS
_be_step_done() {
	_be_name "$1"
	_be_fields=",\"phase\":\"$_be_quoted\""
	_be_name "$2"
	_be_fields="$_be_fields,\"step\":\"$_be_quoted\""
	_be_outcome "$3"
	_be_emit step_finished "$_be_fields$_be_status"
}

# _be_outcome EXIT_CODE: set _be_status to the fields that tell how a command ended.
_be_outcome() {
	case $1 in
	0) _be_status=',"status":"succeeded"' ;;
	129 | 130 | 143) _be_status=",\"status\":\"interrupted\",\"signal\":$(($1 - 128))" ;;
	129 | 1[3-8][0-9] | 19[0-2]) _be_status=",\"status\":\"failed\",\"signal\":$(($1 - 128))" ;;
	*) _be_status=',"status":"failed"' ;;
	esac
	_be_status="$_be_status,\"exit_code\":$1"
}

# be_step_start PHASE STEP [--package P] [--version V] [--log FILE]: a step begins here and ends at be_step_end.
be_step_start() {
	{ _be_step_start "$@" || :; } 2>&-
	[ -z "$_be_warning" ] || _be_warn
}

_be_step_start() {
	_be_name "${1-}"
	_be_fields=",\"phase\":\"$_be_quoted\""
	_be_name "${2-}"
	_be_fields="$_be_fields,\"step\":\"$_be_quoted\""
	_be_open=$_be_fields$_be_newline$_be_open
	while [ "$#" -gt 2 ]; do
		case $3 in
		--package | --version)
			_be_quote "${4-}" 200 200
			[ -z "$_be_quoted" ] || _be_fields="$_be_fields,\"${3#--}\":\"$_be_quoted\""
			;;
		--log)
			_be_log=${4-}
			case $_be_log in
			/* | '') ;;
			*) _be_log=$PWD/$_be_log ;;
			esac
			_be_quote "$_be_log" 1000 800
			[ -z "$_be_quoted" ] || _be_fields="$_be_fields,\"log\":\"$_be_quoted\""
			;;
		esac
		if [ "$#" -gt 3 ]; then shift; fi
		shift
	done
	_be_emit step_started "$_be_fields,\"pid\":$$"
}

# be_step_progress PHASE STEP RATIO [MESSAGE]: how far a step is, 0 to 1.
be_step_progress() {
	{ _be_step_progress "$@" || :; } 2>&-
	[ -z "$_be_warning" ] || _be_warn
}

_be_step_progress() {
	_be_name "${1-}"
	_be_fields=",\"phase\":\"$_be_quoted\""
	_be_name "${2-}"
	_be_fields="$_be_fields,\"step\":\"$_be_quoted\""
	_be_ratio=${3-}
	case $_be_ratio in
	.*) _be_ratio=0$_be_ratio ;;
	*,*) _be_ratio=${_be_ratio%%,*}.${_be_ratio#*,} ;;
	esac
	case $_be_ratio in
	*[!.0123456789]* | *.*.* | '' | *. | ?????????????*) ;;
	0 | 1 | 0.* | 1.0) _be_fields="$_be_fields,\"ratio\":$_be_ratio" ;;
	esac
	if [ "$#" -gt 3 ]; then
		_be_quote "$4" 1000 1000
		_be_fields="$_be_fields,\"message\":\"$_be_quoted\""
	fi
	_be_emit step_progress "$_be_fields"
}

# be_step_end STATUS [EXIT_CODE]: end the step started last by be_step_start; STATUS is succeeded, failed, skipped or
# interrupted, or a command's status as in `be_step_end $?`.
be_step_end() {
	{ _be_step_end "$@" || :; } 2>&-
	[ -z "$_be_warning" ] || _be_warn
}

_be_step_end() {
	_be_fields=${_be_open%%"$_be_newline"*}
	_be_open=${_be_open#*"$_be_newline"}
	[ -n "$_be_fields" ] || return 0
	if _be_number "${1-}"; then
		_be_outcome "$_be_digits"
	else
		case ${1-} in
		succeeded | failed | skipped | interrupted) _be_status=",\"status\":\"$1\"" ;;
		*)
			_be_quote "${1-}" 200 300
			_be_status=",\"status\":\"failed\",\"message\":\"be_step_end does not know the status '$_be_quoted'\""
			;;
		esac
		if _be_number "${2-}"; then _be_status="$_be_status,\"exit_code\":$_be_digits"; fi
	fi
	_be_emit step_finished "$_be_fields$_be_status"
}

# be_milestone NAME: a milestone is reached.
be_milestone() {
	{ _be_name "${1-}" && _be_emit milestone_reached ",\"milestone\":\"$_be_quoted\"" || :; } 2>&-
	[ -z "$_be_warning" ] || _be_warn
}

# be_note MESSAGE: something worth remembering.
be_note() {
	{ _be_quote "${1-}" 1000 1000 && _be_emit note ",\"message\":\"$_be_quoted\"" || :; } 2>&-
	[ -z "$_be_warning" ] || _be_warn
}

# be_end STATUS: the run ends; STATUS is succeeded, failed or interrupted, or a command's status.
be_end() {
	{ _be_end "${1-}" || :; } 2>&-
	[ -z "$_be_warning" ] || _be_warn
}

_be_end() {
	_be_open=''
	case $1 in
	0 | succeeded) _be_status=succeeded ;;
	interrupted | 129 | 130 | 143) _be_status=interrupted ;;
	*) _be_status=failed ;;
	esac
	_be_emit build_finished ",\"status\":\"$_be_status\""
}

# be_exit STATUS: end every step still open and the run with the status of the shell.
be_exit() {
	while [ -n "$_be_open" ]; do be_step_end "${1-}"; done
	be_end "${1-}"
}
