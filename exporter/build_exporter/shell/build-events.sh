# shellcheck shell=sh
# build-events.sh: report what a build does to build-exporter, from any POSIX shell (bash, dash, busybox ash).
#
#   . build-events.sh
#   be_start BUILD [--new] [--target T] [--book B] [--jobs N] [--source S] [--deadline EPOCH]
#   be_step PHASE STEP COMMAND...                 run COMMAND as a step; returns its status
#   be_step_start PHASE STEP [--package P] [--version V] [--log FILE]
#   be_step_progress PHASE STEP RATIO [MESSAGE]
#   be_step_end STATUS [EXIT_CODE]                ends the step started last
#   be_milestone NAME, be_note MESSAGE, be_plan FILE, be_end STATUS
#   be_exit STATUS                                for an EXIT trap of your own: trap 'be_exit $?' EXIT
#
# Every function but be_step returns 0 whatever happens, and none prints on stdout. An event is one line, appended to
#   $BUILD_EXPORTER_JOURNAL/<build>/<run>.jsonl
# by one write(). When that fails, or a function is called wrongly, the build goes on, and one line on stderr says so.
#
# BE_LOG_DIR=DIR   be_step writes its command's output to DIR/STEP.log; with BE_LOG_TEE=1 it is shown as well
# BE_ROOT=DIR      in a chroot: DIR is this root as seen from outside, put before the paths of logs for the exporter there
# BE_NO_PID=1      leave the shell's process id out: in a container, where ids are others than the exporter's
#
# Conventions:
# - Names that begin with _be_ are private. A function returns its result in a global, which its caller reads at once. What
#   must survive a nested step is kept in positional parameters, the only locals that every shell has (`local` is used in
#   bash only).
# - Public functions do their work inside `{ ... || :; } 2>&-`: `||` keeps the caller's errexit and ERR trap out, the
#   closed stderr hides the caller's xtrace and the shell's error messages. /dev/null can not be used: a chroot may not have it
#   yet, and `>/dev/null` by root would then create a regular file of that name.
# - A failed redirection of a special builtin ends dash, so redirections are on printf, read and brace groups.

# A child may inherit these variables (set -a). They belong to this shell only if this shell set them.
if [ "${_be_owner-}" != "$$" ]; then
	_be_owner=$$
	_be_open=''     # steps begun by be_step_start, innermost first, a line each: "pid:" and a piece of JSON
	_be_running=''  # the same for the steps that be_step runs
	_be_guarded=''  # process in which _be_guard set a trap, and _be_running as it then was
	_be_guarded_by=''
	_be_begun=''    # process in which be_start began a run that has not ended
	_be_run_file='' # the run file that _be_directory and _be_build were taken from
	_be_torn=''     # after a failed write: a newline, since part of a line may have been written, and an events_lost line
	_be_lost=0      # events that could not be written since the last one that was
	_be_kept=0      # events kept elsewhere
	_be_retry=0     # time before which a directory that could not be made is not tried again
	_be_checked=''  # uptime at which the clock's base was last compared with date
	_be_warning=''  # why the last event was not written
	_be_complaint='' # how a function was called wrongly
	_be_hidden=''   # the failed step whose output is in its log alone
	_be_complaints='' # those reported before, a line each
	_be_home=''     # the process that may say so: not a subshell beside it
fi

_be_newline='
'
# Every character that stands for itself in JSON; `]` first and `-` last, as it is used inside brackets.
# Spelled out, because a range contains other characters in other locales.
_be_plain=']ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 !#$%&'\''()*+,./:;<=>?@[^_`{|}~-'
_be_plain_name='ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-'
_be_no_clock='no clock: neither /proc/uptime nor a date command'

# ---------------------------------------------------------------------------------------------------- JSON text

# _be_quote TEXT CHARACTERS BYTES: set _be_quoted to TEXT as it stands between the quotes of a JSON string, cut to
# CHARACTERS and BYTES, 1000 at most.
_be_quote() {
	_be_quoted=$1
	[ "${#1}" -le 1000 ] || _be_cut 1000
	case $_be_quoted in
	*[!$_be_plain]*) _be_quote_special "$_be_quoted" "$2" "$3" ;;
	*) [ "${#_be_quoted}" -le "$2" ] || _be_cut "$2" ;;
	esac
}

# _be_cut BYTES: cut _be_quoted.
_be_cut() {
	if [ -n "${BASH_VERSION-}" ]; then
		# shellcheck disable=SC3045
		printf -v _be_quoted "%.$1s" "$_be_quoted"
	else
		_be_quoted=$(printf "%.$1s." "$_be_quoted")
		_be_quoted=${_be_quoted%.}
	fi
}

# The same for text with quotes, backslashes, control characters or anything outside ASCII, byte by byte. Where `?`
# matches a character and not a byte this needs the C locale: bash gives it back at a function's end, a subshell keeps
# it to itself elsewhere. Where that fails (a readonly LC_ALL) characters outside ASCII become U+FFFD.
_be_quote_special() {
	[ -n "${_be_probe-}" ] || _be_make_tables
	case $_be_probe in
	?????????) _be_quote_bytes "$@" ;;
	*)
		if [ -z "${BASH_VERSION-}" ]; then
			_be_quoted=$(LC_ALL=C && _be_quote_bytes "$@" && printf %s "$_be_quoted") || _be_quote_bytes "$@"
		elif ! _be_is_clean "$@"; then
			_be_quote_in_c_locale "$@"
		fi
		;;
	esac
}

_be_quote_in_c_locale() {
	# shellcheck disable=SC3043
	local LC_ALL=C
	_be_quote_bytes "$@"
}

# _be_is_clean TEXT CHARACTERS BYTES: whether bash, in a UTF-8 locale, sees nothing in TEXT that must be changed: to it
# bytes that are not UTF-8 do not print.
_be_is_clean() {
	case $_be_probe in ???) ;; *) return 1 ;; esac
	case $1 in *[![:print:]]* | *[\"\\]*) return 1 ;; esac
	[ "${#1}" -le "$2" ] || return 1
	_be_count_bytes "$1"
	[ "$_be_n" -le "$3" ]
}

_be_count_bytes() {
	# shellcheck disable=SC3043
	local LC_ALL=C
	_be_n=${#1}
}

# Bytes in the order of their numbers, as no shell here has ord(): made once, when first needed.
_be_make_tables() {
	_be_n=0 _be_octal=''
	while [ "$_be_n" -lt 128 ]; do
		_be_octal=$_be_octal\\$((2 + _be_n / 64))$((_be_n / 8 % 8))$((_be_n % 8)) _be_n=$((_be_n + 1))
	done
	# shellcheck disable=SC2059
	_be_high=$(printf "$_be_octal")
	_be_controls=$(printf '\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\21\22\23\24\25\26\27\30\31\32\33\34\35\36\37')
	_be_delete=$(printf '\177')
	_be_probe=$(printf '\303\251\342\202\254\360\237\230\200') # three characters in UTF-8
}

# _be_quote_bytes TEXT CHARACTERS BYTES: the decoder; `?` must match one byte. (The first byte of a text is what is
# left without the rest: by `%%`, which is tried from the left, where `%` would take time by the square of the length.)
# shellcheck disable=SC2295
_be_quote_bytes() {
	_be_rest=$1 _be_characters=$2 _be_bytes=$3 _be_quoted=''
	while [ -n "$_be_rest" ]; do
		_be_piece=${_be_rest%%[!$_be_plain]*}
		if [ -n "$_be_piece" ]; then
			_be_rest=${_be_rest#"$_be_piece"}
			while [ "${#_be_piece}" -gt "$_be_characters" ] || [ "${#_be_piece}" -gt "$_be_bytes" ]; do
				_be_piece=${_be_piece%?}
			done
			_be_width=${#_be_piece} _be_characters=$((_be_characters - ${#_be_piece}))
		else
			_be_byte=${_be_rest%%"${_be_rest#?}"} _be_rest=${_be_rest#?} _be_characters=$((_be_characters - 1))
			_be_quote_byte
		fi
		_be_bytes=$((_be_bytes - _be_width))
		if [ "$_be_bytes" -lt 0 ] || [ "$_be_characters" -lt 0 ]; then break; fi
		_be_quoted=$_be_quoted$_be_piece
	done
}

# Set _be_piece, of _be_width bytes, to the character that begins with _be_byte and goes on in _be_rest.
_be_quote_byte() {
	_be_width=2
	case $_be_byte in
	[\"\\]) _be_piece=\\$_be_byte ;;
	"$_be_newline") _be_piece='\n' ;;
	"$_be_delete") _be_piece=$_be_byte _be_width=1 ;;
	*)
		_be_prefix=${_be_controls%%"$_be_byte"*}
		if [ "$_be_prefix" = "$_be_controls" ]; then
			_be_quote_sequence || _be_piece='\ufffd' _be_width=6
		else
			_be_quote_control "$((${#_be_prefix} + 1))"
		fi
		;;
	esac
}

# _be_quote_control NUMBER: the control character NUMBER, 1 to 31.
_be_quote_control() {
	_be_piece='0123456789abcdef' _be_n=$(($1 % 16)) _be_width=6
	while [ "$_be_n" -gt 0 ]; do _be_piece=${_be_piece#?} _be_n=$((_be_n - 1)); done
	_be_piece=\\u00$(($1 / 16))${_be_piece%%"${_be_piece#?}"}
}

# The UTF-8 sequence led by _be_byte; status 1 where it is not well-formed. Numbers are those of the bytes less 128,
# bounds of the second byte those of the Unicode standard, table 3-7.
_be_quote_sequence() {
	_be_prefix=${_be_high%%"$_be_byte"*}
	_be_n=${#_be_prefix} _be_least=0 _be_most=63 _be_width=4
	if [ "$_be_n" -lt 66 ] || [ "$_be_n" -gt 116 ]; then return 1; fi
	[ "$_be_n" -ge 112 ] || _be_width=3
	[ "$_be_n" -ge 96 ] || _be_width=2
	case $_be_n in
	96) _be_least=32 ;;
	109) _be_most=31 ;;
	112) _be_least=16 ;;
	116) _be_most=15 ;;
	esac
	_be_piece=$_be_byte _be_tail=$_be_rest _be_n=1
	while [ "$_be_n" -lt "$_be_width" ]; do
		[ -n "$_be_tail" ] || return 1
		_be_byte=${_be_tail%%"${_be_tail#?}"} _be_tail=${_be_tail#?}
		_be_prefix=${_be_high%%"$_be_byte"*}
		if [ "${#_be_prefix}" -lt "$_be_least" ] || [ "${#_be_prefix}" -gt "$_be_most" ]; then return 1; fi
		_be_piece=$_be_piece$_be_byte _be_least=0 _be_most=63 _be_n=$((_be_n + 1))
	done
	_be_rest=$_be_tail
}

# _be_place PHASE STEP: set _be_fields to the fields that name a step; those of the last one are kept, as it is mostly
# the same. The widest names, message and paths together keep an event below 4096 bytes: what shells write at once.
_be_place() {
	if [ "$1" != "$_be_phase" ] || [ "$2" != "$_be_step" ]; then
		_be_quote "${1:--}" 200 1200
		_be_placed=",\"phase\":\"$_be_quoted\",\"step\":\""
		_be_quote "${2:--}" 200 1200
		_be_placed=$_be_placed$_be_quoted\" _be_phase=$1 _be_step=$2
	fi
	_be_fields=$_be_placed
}

_be_phase='' _be_step='' _be_placed=',"phase":"-","step":"-"'

# _be_text NAME TEXT CHARACTERS BYTES: add a text to _be_fields.
_be_text() {
	_be_quote "$2" "$3" "$4"
	_be_fields="$_be_fields,\"$1\":\"$_be_quoted\""
}

# _be_path NAME FILE: add the absolute path of FILE, as the exporter sees it, to _be_fields; one too long for an event
# is left out.
_be_path() {
	case $2 in
	'') return 0 ;;
	/*) _be_file=$2 ;;
	*) _be_file=$PWD/$2 ;;
	esac
	_be_file=${BE_ROOT-}$_be_file
	[ "${#_be_file}" -gt 500 ] || _be_text "$1" "$_be_file" 1000 800
}

# _be_integer TEXT: set _be_digits to TEXT as a JSON integer; status 1 where it is none or too long to be meant.
_be_integer() {
	case $1 in
	'' | *[!0123456789]*) return 1 ;;
	esac
	_be_digits=${1#"${1%%[!0]*}"}
	_be_digits=${_be_digits:-0}
	[ "${#_be_digits}" -le 11 ]
}

# _be_decimal TEXT: set _be_digits to TEXT, `.5` and a decimal comma included, as a JSON number; status 1 if it is none.
_be_decimal() {
	case $1 in
	*[.,]*)
		_be_n=${1#*[.,]}
		case $_be_n in
		'' | *[!0123456789]*) return 1 ;;
		??????????*) _be_n=${_be_n%"${_be_n#?????????}"} ;;
		esac
		_be_digits=${1%%[.,]*}
		_be_integer "${_be_digits:-0}" || return 1
		_be_digits=$_be_digits.$_be_n
		;;
	*) _be_integer "$1" ;;
	esac
}

# _be_file_name TEXT FALLBACK: set _be_named to TEXT as a build's name, which is a file's name too.
_be_file_name() {
	_be_named=$1
	case $1 in
	'' | -* | *- | *[!$_be_plain_name]*) ;;
	*[!.]*) [ "${#1}" -gt 100 ] || return 0 ;;
	esac
	_be_rest=$1 _be_named='' _be_n=0 _be_last=''
	while [ -n "$_be_rest" ] && [ "$_be_n" -lt 100 ]; do
		_be_piece=${_be_rest%%"${_be_rest#?}"} _be_rest=${_be_rest#?}
		case $_be_piece in
		[$_be_plain_name]) _be_last='' ;;
		*)
			[ -z "$_be_last" ] || continue
			_be_piece=- _be_last=replaced
			;;
		esac
		_be_named=$_be_named$_be_piece _be_n=$((_be_n + 1))
	done
	_be_named=${_be_named#"${_be_named%%[!-]*}"}
	_be_named=${_be_named%"${_be_named##*[!-]}"}
	case $_be_named in
	*[!.]*) ;;
	*) _be_named=$2 ;;
	esac
}

# ---------------------------------------------------------------------------------------------------------- time

# Set _be_time to now in Unix seconds with a fraction; status 1 without a clock. bash has a variable for it, written
# with the locale's decimal sign.
case ${BASH_VERSION-} in
'' | [1234].*)
	_be_now() { _be_now_by_uptime; }
	;;
*)
	_be_now() {
		# shellcheck disable=SC3028
		_be_time=${EPOCHREALTIME-}
		case $_be_time in
		*.*) ;;
		*,*) _be_time=${_be_time%,*}.${_be_time#*,} ;;
		*) _be_now_by_uptime ;;
		esac
	}
	;;
esac

# Elsewhere it is a base, got from date by a fork, plus the uptime; the base is compared with date again every half
# minute, since clocks are set. Children get it by BUILD_EXPORTER_CLOCK: one clock for a run whose date knows no %N.
_be_now_by_uptime() {
	_be_uptime='' _be_time=''
	IFS=' ' read -r _be_uptime _be_n </proc/uptime || :
	case $_be_uptime in
	[0123456789]*.[0123456789][0123456789]) ;;
	*)
		_be_date || return 1
		_be_time=$_be_date_seconds.$_be_date_hundredths
		return 0
		;;
	esac
	_be_uptime_hundredths=${_be_uptime#*.} _be_uptime=${_be_uptime%.*}
	[ -n "$_be_checked" ] || _be_inherit_base
	_be_n=$((_be_uptime - ${_be_checked:-0}))
	if [ -z "$_be_checked" ] || [ "$_be_n" -ge 30 ] || [ "$_be_n" -lt 0 ]; then _be_set_base || return 1; fi
	_be_add_base
	case $_be_hundredths in
	?) _be_time=$_be_seconds.0$_be_hundredths ;;
	*) _be_time=$_be_seconds.$_be_hundredths ;;
	esac
}

# Set _be_seconds and _be_hundredths to the base plus the uptime. (1NN - 100: a leading 0 would mean octal.)
_be_add_base() {
	_be_hundredths=$((_be_base_hundredths + 1$_be_uptime_hundredths - 100))
	_be_seconds=$((_be_base + _be_uptime + _be_hundredths / 100)) _be_hundredths=$((_be_hundredths % 100))
}

# Take the base from BUILD_EXPORTER_CLOCK ("seconds hundredths uptime-when-checked") where that holds one.
_be_inherit_base() {
	case ${BUILD_EXPORTER_CLOCK-} in
	*[!0123456789\ ]* | '' | *' '*' '*' '*) ;;
	[123456789]*' '[0123456789]*' '[0123456789]*)
		_be_base=${BUILD_EXPORTER_CLOCK%% *} _be_checked=${BUILD_EXPORTER_CLOCK##* }
		_be_base_hundredths=${BUILD_EXPORTER_CLOCK#* }
		_be_base_hundredths=${_be_base_hundredths% *}
		_be_integer "$_be_base_hundredths" && _be_base_hundredths=$_be_digits
		_be_integer "$_be_checked" && _be_checked=$_be_digits
		;;
	esac
}

# Set _be_date_seconds, and _be_date_hundredths to two digits; _be_date_exact is empty where date knows no %N.
_be_date() {
	_be_date_seconds=$(command date +%s.%N) || return 1
	_be_date_hundredths=${_be_date_seconds#*.} _be_date_seconds=${_be_date_seconds%%.*} _be_date_exact=yes
	_be_integer "$_be_date_seconds" || return 1
	case $_be_date_hundredths in
	*[!0123456789]* | '' | ?) _be_date_hundredths=00 _be_date_exact='' ;;
	*) _be_date_hundredths=${_be_date_hundredths%"${_be_date_hundredths#??}"} ;;
	esac
}

# Compare the base with date and set it where it is none or the clock was set. A date without a fraction gives only
# the second: the base then moves no further than into that second.
_be_set_base() {
	_be_date || return 1
	if [ -n "$_be_checked" ]; then
		_be_add_base
		_be_checked=$_be_uptime
		if [ -z "$_be_date_exact" ]; then
			[ "$_be_seconds" -ne "$_be_date_seconds" ] || return 0
			[ "$_be_seconds" -lt "$_be_date_seconds" ] || _be_date_hundredths=99
		else
			# the fork itself takes hundredths, and a base that moves by them gains nothing
			_be_n=$(((_be_date_seconds - _be_seconds) * 100 + 1$_be_date_hundredths - 100 - _be_hundredths))
			if [ "$_be_n" -gt -10 ] && [ "$_be_n" -lt 10 ]; then return 0; fi
		fi
	fi
	_be_checked=$_be_uptime
	_be_base=$((_be_date_seconds - _be_uptime))
	_be_base_hundredths=$((1$_be_date_hundredths - 1$_be_uptime_hundredths))
	if [ "$_be_base_hundredths" -lt 0 ]; then
		_be_base=$((_be_base - 1)) _be_base_hundredths=$((_be_base_hundredths + 100))
	fi
	export BUILD_EXPORTER_CLOCK="$_be_base $_be_base_hundredths $_be_checked"
}

# _be_run_name SECONDS: set _be_run to the name of a run that starts then, its UTC date and time. The years of this
# calculation begin in March, so that a leap day is the last of its year.
_be_run_name() {
	_be_n=$(($1 / 86400 + 719468))
	_be_era=$((_be_n / 146097)) _be_n=$((_be_n % 146097))
	_be_year=$(((_be_n - _be_n / 1460 + _be_n / 36524 - _be_n / 146096) / 365))
	_be_n=$((_be_n - 365 * _be_year - _be_year / 4 + _be_year / 100))
	_be_month=$(((5 * _be_n + 2) / 153))
	_be_day=$((_be_n - (153 * _be_month + 2) / 5 + 1))
	_be_month=$((_be_month + 3)) _be_year=$((_be_year + 400 * _be_era))
	if [ "$_be_month" -gt 12 ]; then _be_month=$((_be_month - 12)) _be_year=$((_be_year + 1)); fi
	_be_n=$(($1 % 86400))
	# the leading 1 keeps the zeros of the time
	_be_n=$((1000000 + 10000 * (_be_n / 3600) + 100 * (_be_n / 60 % 60) + _be_n % 60))
	_be_run=$((_be_year * 10000 + _be_month * 100 + _be_day))T${_be_n#1}Z
}

# ------------------------------------------------------------------------------------------------------- writing

# _be_quietly FUNCTION ARGUMENT...: call FUNCTION so that its failure stops nothing and it prints nothing; report on
# stderr, once for a journal, why events are lost.
_be_quietly() {
	{ "$@" || :; } 2>&-
	[ -z "$_be_warning$_be_complaint$_be_hidden" ] || _be_report
}

_be_report() {
	[ -z "$_be_warning" ] || _be_warn
	[ -z "$_be_complaint" ] || _be_complain
	[ -z "$_be_hidden" ] || _be_point
}

# Name the log of a failed step that showed nothing; in a subshell, which alone a broken pipe can end.
_be_point() {
	(printf 'build-exporter: %s\n' "$_be_hidden" >&2) || :
	_be_hidden=''
}

_be_misuse() { _be_complaint=$1; }

# Report a wrong call on stderr, the same one once.
_be_complain() {
	case $_be_newline$_be_complaints in
	*"$_be_newline$_be_complaint$_be_newline"*) ;;
	*)
		_be_complaints=$_be_complaints$_be_complaint$_be_newline
		printf 'build-events: %s\n' "$_be_complaint" >&2 || :
		;;
	esac
	_be_complaint=''
}

_be_warn() {
	_be_process
	if [ "${BUILD_EXPORTER_HOOK_WARNED-}" != "${_be_directory:-none}" ] && [ "$_be_self" = "$_be_home" ]; then
		export BUILD_EXPORTER_HOOK_WARNED="${_be_directory:-none}"
		printf 'build-events: events are lost: %s\n' "$_be_warning" >&2 || :
	fi
	_be_warning=''
}

# _be_emit EVENT FIELDS: append an event; FIELDS is empty or begins with a comma. A shell writes up to 4096 bytes at
# once; for what is longer _be_printf is _be_printf_long.
_be_emit() {
	[ "${BUILD_EXPORTER_RUN_FILE-}" = "$_be_run_file" ] || _be_open_run
	if _be_now && [ -f "$_be_run_file" ] && "$_be_printf" "$_be_format" \
		"$_be_torn" "$_be_time" "$1" "$_be_build" "$2" >>"$_be_run_file"; then
		_be_torn=''
	else
		_be_emit_otherwise "$@"
	fi
}

_be_printf='printf'
_be_format='%s{"time":%s,"event":"%s","build":"%s"%s}\n'

# printf by one write: dd gathers what the shell writes to it in pieces (an old one may not know `status`).
_be_printf_long() {
	# shellcheck disable=SC2059
	printf "$@" | command dd obs=65536 status=none || printf "$@"
}

# The event could not be written: make the run file and its directory, or see why there is none. What is not a regular
# file is left alone, as opening a FIFO could wait.
_be_emit_otherwise() {
	if [ -z "$_be_run_file" ]; then
		_be_warning='no be_start before, and BUILD_EXPORTER_RUN_FILE names no run file'
	elif [ -z "$_be_time" ]; then
		_be_warning=$_be_no_clock
	elif [ -e "$_be_run_file" ] && [ ! -f "$_be_run_file" ]; then
		_be_warning="$_be_run_file is not a regular file"
	elif [ ! -f "$_be_run_file" ] && _be_make_directory &&
		"$_be_printf" "$_be_format" "${_be_torn#"$_be_newline"}" "$_be_time" "$1" "$_be_build" "$2" >>"$_be_run_file"; then
		_be_torn=''
	elif [ -d "$_be_directory" ] && _be_keep "$@"; then
		# the next line must not be glued to what was written of this one
		_be_torn=${_be_torn:-$_be_newline}
	else
		# nor must it hide what is lost
		case $_be_torn in *count*) ;; *) _be_lost=0 ;; esac
		_be_lost=$((_be_lost + 1))
		_be_torn="$_be_newline{\"time\":$_be_time,\"event\":\"events_lost\",\"build\":\"$_be_build\",\"count\":$_be_lost}$_be_newline"
		_be_warning="can not write $_be_run_file"
	fi
}

# _be_keep EVENT FIELDS: keep an event that finds no room in memory-backed storage, a file each, from where the exporter of
# this system appends it to its run when there is room.
_be_keep() {
	case ${XDG_RUNTIME_DIR-} in
	/*)
		_be_file=$XDG_RUNTIME_DIR/build-exporter
		[ -d "$XDG_RUNTIME_DIR" ] || return 1
		[ -d "$_be_file" ] || command mkdir -m 700 "$_be_file" || return 1
		;;
	*)
		_be_file=/run/build-exporter
		[ -w "$_be_file" ] || return 1
		;;
	esac
	[ "$_be_kept" -lt 100 ] || return 1
	_be_process
	_be_kept=$((_be_kept + 1)) _be_file=$_be_file/$_be_time-$_be_self-$_be_kept.jsonl
	"$_be_printf" "%s\\n$_be_format" "$_be_run_file" '' "$_be_time" "$1" "$_be_build" "$2" >|"$_be_file" && return 0
	command rm -f "$_be_file"
	return 1
}

# Make _be_directory where it is not there; after a failure not before five seconds have gone, as it costs a process.
_be_make_directory() {
	if [ -d "$_be_directory" ]; then return 0; fi
	[ "${_be_time%.*}" -ge "$_be_retry" ] || return 1
	command mkdir -p "$_be_directory" && return 0
	_be_retry=$((${_be_time%.*} + 5))
	return 1
}

# Take up BUILD_EXPORTER_RUN_FILE: set _be_run_file (empty where it can't be one), _be_directory and _be_build.
_be_open_run() {
	_be_run_file='' _be_torn='' _be_retry=0
	case ${BUILD_EXPORTER_RUN_FILE-} in
	/*/*.jsonl) ;;
	*) return 0 ;;
	esac
	_be_run_file=$BUILD_EXPORTER_RUN_FILE
	_be_directory=${_be_run_file%/*}
	_be_file_name "${_be_directory##*/}" build
	_be_build=$_be_named
	# a writer before us may have met a full disk in the middle of a line
	if [ -f "$_be_run_file" ] && [ -s "$_be_run_file" ] && [ -n "$(command tail -c 1 "$_be_run_file")" ]; then
		_be_torn=$_be_newline
	fi
}

# Set _be_self to the id of this process, which in a subshell is not $$.
_be_process() {
	# shellcheck disable=SC3028
	if [ -n "${BASH_VERSION-}" ]; then
		_be_self=${BASHPID-}
	else
		_be_self=''
		IFS=' ' read -r _be_self _be_n </proc/self/stat || :
	fi
	_be_self=${_be_self:-$$}
}

# --------------------------------------------------------------------------------------------------------- build

# be_start BUILD [--new] [--target T] [--book B] [--jobs N] [--source S] [--deadline EPOCH]: begin a run of BUILD, or
# go on with its newest one if that did not succeed. Exports BUILD_EXPORTER_RUN_FILE, by which child scripts join.
be_start() { _be_quietly _be_start "$@"; }

_be_start() {
	_be_file_name "${1-}" build
	_be_build=$_be_named _be_new='' _be_fields='' _be_directory=''
	[ "$_be_named" = "${1-}" ] ||
		_be_complaint="be_start: a build's name is 1 to 100 of A-Z a-z 0-9 . _ + -; it is recorded as $_be_named"
	[ "$#" -eq 0 ] || shift
	while [ "$#" -gt 0 ]; do
		case $1 in
		--new) _be_new=yes ;;
		--target | --book | --source) [ -z "${2-}" ] || _be_text "${1#--}" "$2" 200 300 ;;
		--jobs) if _be_integer "${2-}"; then _be_fields="$_be_fields,\"jobs\":$_be_digits"; fi ;;
		--deadline) if _be_decimal "${2-}"; then _be_fields="$_be_fields,\"deadline\":$_be_digits"; fi ;;
		esac
		case $1 in
		--target | --book | --source | --jobs | --deadline) [ "$#" -eq 1 ] || shift ;;
		esac
		shift
	done
	_be_process
	[ -n "${BE_NO_PID-}" ] || _be_name_process
	_be_open='' _be_begun=$_be_self _be_home=$_be_self
	_be_now || :
	if [ -z "$_be_time" ]; then
		_be_warning=$_be_no_clock
		return 0
	fi
	_be_set_journal
	_be_directory=$_be_directory/$_be_build
	BUILD_EXPORTER_RUN_FILE=$(_be_choose_run)
	export BUILD_EXPORTER_RUN_FILE
	_be_run=${BUILD_EXPORTER_RUN_FILE##*/}
	_be_emit build_started ",\"run\":\"${_be_run%.jsonl}\"$_be_fields"
}

# Add the fields by which the exporter finds out that this process is gone: its id, and where that is its id.
_be_name_process() {
	_be_fields="$_be_fields,\"pid\":$_be_self"
	_be_n=$(command readlink /proc/self/ns/pid) && IFS='' read -r _be_line </proc/sys/kernel/random/boot_id || return 0
	_be_n=${_be_n#*[}
	_be_text pid_namespace "$_be_line/${_be_n%]}" 100 100
}

# Set _be_directory to the journal: the environment's, else the system's for root, else the user's state directory.
_be_set_journal() {
	_be_directory=${BUILD_EXPORTER_JOURNAL-}
	case $_be_directory in
	/*) ;;
	'')
		_be_directory=/var/lib/build-exporter/journal
		[ "$(command id -u)" = 0 ] || _be_directory=${XDG_STATE_HOME:-${HOME-}/.local/state}/build-exporter/journal
		;;
	*) _be_directory=$PWD/$_be_directory ;;
	esac
}

# Print the run file to use, in a subshell: the newest of _be_directory unless its run succeeded or _be_new is set,
# else one that is not there yet.
_be_choose_run() {
	set +f
	# shellcheck disable=SC3044
	[ -z "${BASH_VERSION-}" ] || shopt -u failglob
	_be_file=''
	for _be_n in "$_be_directory"/[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z.jsonl; do
		[ ! -f "$_be_n" ] || _be_file=$_be_n
	done
	if [ -z "$_be_file" ] || [ -n "$_be_new" ] || _be_succeeded "$_be_file"; then
		_be_seconds=${_be_time%.*}
		while :; do
			_be_run_name "$_be_seconds"
			_be_file=$_be_directory/$_be_run.jsonl
			[ -e "$_be_file" ] || break
			_be_seconds=$((_be_seconds + 1))
		done
	fi
	printf %s "$_be_file"
}

# _be_succeeded FILE: whether the last build event of FILE is a success. Quotes inside a JSON string are escaped, so no
# message can match.
_be_succeeded() {
	_be_n=$(command grep -a '"event" *: *"build_[sf]' "$1" | command tail -n 1)
	case $_be_n in
	*\"build_finished\"*) ;;
	*) return 1 ;;
	esac
	case $_be_n in
	*\"status\"*\"succeeded\"*) ;;
	*) return 1 ;;
	esac
}

# be_milestone NAME: a milestone is reached.
be_milestone() { _be_quietly _be_milestone "${1:--}"; }

_be_milestone() {
	_be_fields=''
	_be_text milestone "$1" 200 1200
	_be_emit milestone_reached "$_be_fields"
}

# be_note MESSAGE: something worth remembering.
be_note() { _be_quietly _be_note "${1-}"; }

_be_note() {
	_be_fields=''
	_be_text message "$1" 1000 1000
	_be_emit note "$_be_fields"
}

# be_end STATUS: the run ended; STATUS is succeeded, failed or interrupted, or a command's as in `be_end $?`.
be_end() { _be_quietly _be_end "${1-}"; }

_be_end() {
	case $1 in
	succeeded | failed | interrupted) _be_word=$1 ;;
	*)
		if ! _be_integer "$1"; then
			_be_complaint="be_end: '$1' is not succeeded, failed, interrupted or an exit status; the run is not ended"
			return 0
		fi
		_be_outcome "$1"
		;;
	esac
	_be_open='' _be_begun=''
	_be_emit build_finished ",\"status\":\"$_be_word\""
}

# be_exit STATUS: end what this shell began and did not end: steps, and the run if it called be_start.
be_exit() { _be_quietly _be_exit "${1-}"; }

_be_exit() {
	_be_end_frames "$1"
	[ "$_be_begun" != "$_be_self" ] || _be_end "$1"
}

# _be_end_frames STATUS: end the steps open in this process; a subshell leaves its parent's alone.
_be_end_frames() {
	_be_process
	while :; do
		case $_be_open in
		"$_be_self":*)
			_be_step_end "$1"
			continue
			;;
		esac
		case $_be_running in
		"$_be_self":*) ;;
		*) return 0 ;;
		esac
		_be_fields=${_be_running%%"$_be_newline"*}
		_be_fields=${_be_fields#*:} _be_running=${_be_running#*"$_be_newline"}
		_be_outcome "$1"
		_be_emit_finished
	done
}

# --------------------------------------------------------------------------------------------------------- steps

# be_step_start PHASE STEP [--package P] [--version V] [--log FILE]: a step that ends at be_step_end.
be_step_start() { _be_quietly _be_step_start "$@"; }

_be_step_start() {
	_be_place "${1-}" "${2-}"
	_be_process
	_be_open=$_be_self:$_be_fields$_be_newline$_be_open
	while [ "$#" -gt 3 ]; do
		case $3 in
		--package | --version) [ -z "$4" ] || _be_text "${3#--}" "$4" 200 200 ;;
		--log) _be_path log "$4" ;;
		esac
		shift 2
	done
	_be_emit_started
}

_be_emit_started() {
	[ -n "${BE_NO_PID-}" ] || _be_fields="$_be_fields,\"pid\":$_be_self"
	_be_emit step_started "$_be_fields"
}

_be_emit_finished() {
	_be_emit step_finished "$_be_fields,\"status\":\"$_be_word\"$_be_codes"
}

# be_step_progress PHASE STEP RATIO [MESSAGE]: how far a step is, 0 to 1; a RATIO that is no such number is left out.
be_step_progress() { _be_quietly _be_step_progress "$@"; }

_be_step_progress() {
	_be_place "${1-}" "${2-}"
	case ${3-} in
	0.[0123456789] | 0.[0123456789][0123456789]) _be_fields="$_be_fields,\"ratio\":$3" ;;
	*) _be_ratio "${3-}" ;;
	esac
	[ "$#" -lt 4 ] || _be_text message "$4" 1000 1000
	_be_emit step_progress "$_be_fields"
}

_be_ratio() {
	if _be_decimal "$1"; then
		case $_be_digits in
		0 | 0.*) _be_fields="$_be_fields,\"ratio\":$_be_digits" ;;
		*) _be_fields="$_be_fields,\"ratio\":1" ;;
		esac
	fi
}

# be_step_end STATUS [EXIT_CODE]: end the step that be_step_start began last; STATUS is succeeded, failed, skipped or
# interrupted, or a command's as in `be_step_end $?`.
be_step_end() { _be_quietly _be_step_end "$@"; }

_be_step_end() {
	[ -n "$_be_open" ] || return 0
	_be_fields=${_be_open%%"$_be_newline"*}
	_be_fields=${_be_fields#*:} _be_open=${_be_open#*"$_be_newline"}
	case ${1-} in
	succeeded | failed | skipped | interrupted)
		_be_outcome "${2-}"
		_be_word=$1
		;;
	*)
		_be_outcome "${1-}"
		# a word outside the set is not guessed at: it shows as a failure that says why
		_be_integer "${1-}" || _be_text message "be_step_end got the status '${1-}'" 200 300
		;;
	esac
	_be_emit_finished
}

# _be_outcome EXIT_CODE: set _be_word to the status of a command that ended so, _be_codes to exit_code and signal.
_be_outcome() {
	_be_word=failed _be_codes=''
	_be_integer "$1" || return 0
	case $_be_digits in
	0) _be_word=succeeded ;;
	129 | 130 | 143) _be_word=interrupted ;;
	esac
	if [ "$_be_digits" -gt 128 ] && [ "$_be_digits" -le 192 ]; then _be_codes=",\"signal\":$((_be_digits - 128))"; fi
	_be_codes="$_be_codes,\"exit_code\":$_be_digits"
}

# be_step PHASE STEP COMMAND...: run COMMAND as a step and return its status. It runs in this shell: a function keeps
# what it sets, and errexit works inside it as it would without the hook.
be_step() {
	if [ "$#" -lt 3 ]; then
		_be_quietly _be_misuse 'be_step: PHASE STEP COMMAND... are needed; nothing is run or recorded'
		return 0
	fi
	_be_quietly _be_step_begin "$@"
	# a step within this one changes the variables
	set -- "$_be_log" "$_be_shown" "$@"
	if [ -n "$_be_compound" ]; then
		# not as a condition: that would take errexit from the function's body
		_be_run "$@"
		set -- "$1" "$2" "$3" "$4" "$?"
	elif _be_run "$@"; then
		set -- "$1" "$2" "$3" "$4" 0
	else
		set -- "$1" "$2" "$3" "$4" "$?"
	fi
	_be_quietly _be_step_done "$@"
	return "$5"
}

# _be_step_begin PHASE STEP COMMAND...: set _be_log and _be_shown to where the output goes, set _be_compound if this shell
# runs COMMAND line by line, and report the step's start.
_be_step_begin() {
	_be_log='' _be_shown='' _be_compound=''
	[ -z "${BE_LOG_DIR-}" ] || _be_open_log "${2-}"
	if _be_is_compound "${3-}"; then _be_compound=yes; fi
	_be_place "${1-}" "${2-}"
	_be_process
	_be_running=$_be_self:$_be_fields$_be_newline$_be_running
	_be_path log "$_be_log"
	_be_emit_started
	[ -z "$_be_compound" ] || _be_guard
}

# _be_step_done LOG SHOWN PHASE STEP STATUS
_be_step_done() {
	[ -z "$_be_guarded" ] || _be_unguard
	_be_place "$3" "$4"
	# the first frame of this step, and what a `continue` out of a function may have left above it
	case $_be_running in
	*:"$_be_fields$_be_newline"*) _be_running=${_be_running#*:"$_be_fields$_be_newline"} ;;
	esac
	_be_outcome "$5"
	_be_hidden=''
	case $_be_word$1$2 in
	*"$_be_newline") ;;
	failed/*) _be_file=${1##*/} _be_hidden="${_be_file%.log} failed ($5), log: $1" ;;
	esac
	_be_emit_finished
}

# _be_is_compound COMMAND: whether the shell itself runs what COMMAND holds: a function, a sourced file, eval.
_be_is_compound() {
	case $1 in
	'' | */* | : | true | false | test | '[' | echo | printf) return 1 ;;
	. | source | eval | exit) return 0 ;;
	esac
	# bash knows without a fork; >/dev/null only where that is the device
	if [ -n "${BASH_VERSION-}" ] && [ -c /dev/null ]; then
		# shellcheck disable=SC3044
		declare -F -- "$1" >/dev/null
		return
	fi
	case $(LC_ALL=C type "$1") in
	"$1 is a function"* | "$1 is a shell function"*) return 0 ;;
	esac
	return 1
}

# _be_run LOG SHOWN PHASE STEP COMMAND...: run COMMAND with its output where it belongs.
_be_run() {
	case $1$2 in
	'')
		shift 4
		"$@"
		;;
	*"$_be_newline") _be_run_shown "$@" ;;
	*)
		_be_log=$1
		shift 4
		{ "$@"; } >>"$_be_log" 2>&1
		;;
	esac
}

# The same with tee, in a subshell: a pipeline would return tee's status instead of the command's, and `&` would change the
# caller's $!. The FIFO is removed when tee is done.
_be_run_shown() {
	(
		_be_log=$1
		shift 4
		{
			command tee -a "$_be_log" <"$_be_log.fifo"
			command rm -f "$_be_log.fifo"
		} &
		case $- in
		*e*)
			set +e
			(
				set -e
				"$@"
			) >"$_be_log.fifo" 2>&1
			;;
		*) ("$@") >"$_be_log.fifo" 2>&1 ;;
		esac
		_be_status=$?
		# a process that the command left behind may hold the FIFO for ever: the build does not wait for that
		_be_n=0
		while [ -p "$_be_log.fifo" ] && [ "$_be_n" -lt 20 ]; do
			command sleep 0.05 || command sleep 1
			_be_n=$((_be_n + 1))
		done
		exit "$_be_status"
	)
}

# _be_open_log STEP: make an empty $BE_LOG_DIR/STEP.log and set _be_log to it; the one before is kept as STEP.log.old.
# Where that fails the command runs as if no log were asked for.
_be_open_log() {
	_be_file_name "$1" step
	_be_file=$BE_LOG_DIR/$_be_named.log
	case $_be_file in
	/*) ;;
	*) _be_file=$PWD/$_be_file ;;
	esac
	[ -d "$BE_LOG_DIR" ] || command mkdir -p "$BE_LOG_DIR" || return 0
	if [ -s "$_be_file" ] && [ -f "$_be_file" ]; then command mv -f "$_be_file" "$_be_file.old"; fi
	if [ ! -f "$_be_file" ] && [ -e "$_be_file" ]; then return 0; fi
	{ printf ''; } >|"$_be_file" || return 0
	_be_log=$_be_file
	case ${BE_LOG_TEE-} in
	'' | 0) ;;
	*)
		command rm -f "$_be_log.fifo"
		if [ -n "$(command -v tee)" ] && command mkfifo "$_be_log.fifo"; then _be_shown=$_be_newline; fi
		;;
	esac
}

# A function may end the whole shell, by `exit` or by errexit, before the failure is recorded. If there is no EXIT trap, one
# is set while the function runs. All shells list their traps in the same form but not in $(...), so the list goes through a
# file.
_be_guard() {
	if [ "$_be_guarded" = "$_be_self" ] || ! _be_find_exit_trap; then return 0; fi
	case $_be_trap in
	'' | *_be_end_frames*) ;; # bash shows a subshell its parent's traps, which are not set in it
	*) return 0 ;;
	esac
	trap '_be_quietly _be_end_frames "$?"' EXIT
	_be_guarded=$_be_self _be_guarded_by=$_be_running
}

# Take the trap away when the step that set it is done, unless the function set another.
_be_unguard() {
	_be_process
	if [ "$_be_guarded" != "$_be_self" ] || [ "$_be_guarded_by" != "$_be_running" ]; then return 0; fi
	_be_guarded=''
	if _be_find_exit_trap; then
		case $_be_trap in
		*_be_end_frames*) trap - EXIT ;;
		esac
	fi
}

# Set _be_trap to the last line of the EXIT trap as `trap` lists it, empty where there is none; status 1 where the
# list can't be had whole: on a full disk the caller's trap could be missing from it.
_be_find_exit_trap() {
	_be_trap='' _be_file=$_be_run_file.$_be_self
	[ -f "$_be_run_file" ] || return 1
	{ trap && printf 'end\n'; } >|"$_be_file" || :
	_be_n=''
	while IFS='' read -r _be_n; do
		case $_be_n in
		*"' EXIT") _be_trap=$_be_n ;;
		end) break ;;
		esac
	done <"$_be_file"
	command rm -f "$_be_file"
	[ "$_be_n" = end ]
}

# ---------------------------------------------------------------------------------------------------------- plan

# be_plan FILE: the steps to come in their order, lines `PHASE STEP [SBU] [PACKAGE VERSION]`, `#` begins a comment.
be_plan() { _be_quietly _be_plan "${1-}"; }

_be_plan() {
	if [ ! -f "$1" ] || [ ! -r "$1" ]; then
		_be_complaint="be_plan: can not read the file '$1'"
		return 0
	fi
	_be_steps=$(_be_plan_steps <"$1")
	_be_n=$(printf %s "$_be_steps" | command wc -c)
	if [ "$((${_be_n:-${#_be_steps}}))" -gt 65200 ]; then
		_be_complaint="be_plan: $1 is not recorded: it would be longer than the 65536 bytes of one event"
	elif [ -n "$_be_steps" ]; then
		_be_printf=_be_printf_long
		_be_emit plan ",\"steps\":[$_be_steps]"
		_be_printf='printf'
	fi
}

# Print the steps in a plan on stdin as the elements of a JSON array; in a subshell.
_be_plan_steps() {
	set -f
	IFS=$(printf ' \t\r')
	_be_steps=''
	while read -r _be_line || [ -n "$_be_line" ]; do
		case $_be_line in '#'*) continue ;; esac
		# shellcheck disable=SC2086
		set -- ${_be_line%%[[:blank:]]#*}
		[ "$#" -ge 2 ] || continue
		_be_place "$1" "$2"
		shift 2
		if _be_decimal "${1-}"; then
			_be_fields="$_be_fields,\"sbu\":$_be_digits"
			shift
		fi
		[ -z "${1-}" ] || _be_text package "$1" 200 200
		[ -z "${2-}" ] || _be_text version "$2" 200 200
		_be_steps=$_be_steps${_be_steps:+,}\{${_be_fields#,}\}
		[ "${#_be_steps}" -lt 66000 ] || break
	done
	printf %s "$_be_steps"
}

if [ -z "$_be_home" ]; then
	{ _be_process || :; } 2>&-
	_be_home=$_be_self
fi
