"""At a terminal: colours and sizes, Ctrl-C, Ctrl-Z, fg and bg, with a log and without."""

from __future__ import annotations

import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Read = Callable[..., list[dict[str, Any]]]
Poll = Callable[..., None]

LOGGED = pytest.mark.parametrize("log", ["", "--log log "], ids=["plain", "logged"])


@pytest.fixture
def shell(terminal: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An interactive bash at a terminal of 80 columns and 24 lines, in the test's directory."""
    monkeypatch.chdir(tmp_path)
    screen = terminal()
    screen.type("R='--build b --step s'\n")
    screen.expect(r"\$> ")
    return screen


def _script(text: str) -> str:
    Path("script").write_text(text)
    return f"{sys.executable} script"


@LOGGED
def test_terminal_is_one_inside(shell: Any, log: str) -> None:
    """All three streams are a terminal inside, of the same size and settings as outside, and /dev/tty is there."""
    ask = 'for i in 0 1 2; do test -t $i || echo no $i; done; stty size; stty -a | cksum; echo "tty $(: </dev/tty)"'
    Path("ask").write_text(ask)
    shell.type("sh ask\n")
    outside = shell.expect(r"(24 80\r\n\d+ \d+\r\ntty \r\n)\$> ")[1]
    shell.type(f"$RUN $R {log}-- sh ask\n")
    assert shell.expect(r"(24 80\r\n\d+ \d+\r\ntty \r\n)\$> ")[1] == outside


@LOGGED
def test_new_size(shell: Any, log: str) -> None:
    """The command learns of a new window size."""
    shell.type(f"$RUN $R {log}-- sh -c 'trap \"stty size; exit\" WINCH; echo ready; while :; do sleep 0.05; done'\n")
    shell.expect("ready\r\n")
    shell.resize(40, 132)
    shell.expect(r"40 132\r\n\$> ")


@LOGGED
def test_line_editing(shell: Any, log: str) -> None:
    """A program with line editing works: keys one by one, cursor keys, its own echo."""
    shell.type(f"$RUN $R {log}-- bash --norc --noprofile\n")
    shell.expect(r"\$> ")
    shell.type("ecX\x7fho on\x01\x05e; stty -a | grep -c -w -e -icanon\n")
    shell.expect(r"one\r\n0\r\n")
    shell.type("exit 3\n")
    shell.expect(r"exit\r\n\$> ")
    shell.type("echo $?\n")
    shell.expect(r"\n3\r\n")


@LOGGED
def test_typed_at_the_program(shell: Any, log: str) -> None:
    """What is typed comes to the command, Ctrl-D as the end of it; a password is not echoed."""
    shell.type(f"$RUN $R {log}-- sh -c 'stty -echo; echo pass; read p; stty echo; echo \"<$p>\"; cat; echo end'\n")
    shell.expect("pass\r\n")
    shell.type("secret\n")
    assert b"secret" not in shell.expect(r"([^<]*)<secret>\r\n")[1]
    shell.type("line\n\x04")
    shell.expect(r"line\r\nline\r\nend\r\n\$> ")
    if log:
        assert Path("log").read_bytes() == b"pass\n<secret>\nline\nline\nend\n"


@LOGGED
def test_ctrl_c(shell: Any, log: str, events: Read) -> None:
    """Ctrl-C ends the command, and with it the loop of the shell, by SIGINT."""
    shell.type(f"while :; do $RUN $R {log}-- sh -c 'echo ready; exec sleep 60'; done; echo after $?\n")
    shell.expect(r"ready\r\n")
    shell.type("\x03")
    shell.expect(r"\$> ")
    shell.type("echo code $?\n")
    shell.expect(r"\ncode 130\r\n")
    last = events()[-1]
    assert (last["event"], last["status"], last["signal"]) == ("step_finished", "interrupted", 2)
    assert [event["event"] for event in events()].count("step_started") == 1


@LOGGED
def test_ctrl_c_that_the_command_handles(shell: Any, log: str) -> None:
    """A command that catches Ctrl-C gets it once and continues; Ctrl-\\ too."""
    count = "import select, signal\nfor n in (2, 3): signal.signal(n, lambda n, _: print('got', n, flush=True))\n"
    # a signal between two reads the keyboard is reported at the next
    look = "print('ready', flush=True)\nwhile not select.select([0], [], [], 0.02)[0]: pass\n"
    program = _script(f"{count}{look}input()\n")
    shell.type(f"$RUN $R {log}-- {program}; echo code $?\n")
    shell.expect(r"ready\r\n")
    shell.type("\x03")
    shell.expect(r"got 2\r\n")
    shell.type("\x1c")
    shell.expect(r"got 3\r\n")
    shell.type("\n")
    assert b"got" not in shell.expect(r"(?s)(.*)code 0\r\n\$> ")[1]


@LOGGED
def test_ctrl_z_and_fg(shell: Any, log: str, events: Read) -> None:
    """Ctrl-Z stops the command and gives the shell back; fg, bg and kill work on the job."""
    before = shell.settings()
    shell.type(f"$RUN $R {log}-- sh -c 'echo ready; read line; echo \"<$line>\"; exit 7'\n")
    shell.expect(r"ready\r\n")
    for _ in range(2):
        shell.type("\x1a")
        shell.expect(r"\[1\]\+  Stopped(?s:.*?)\r\n\$> ")
        shell.type("echo shell again\n")
        shell.expect(r"\nshell again\r\n\$> ")
        shell.type("fg\n")
        shell.expect("sh -c .*\r\n")
        shell.expect_job()
    shell.type("typed\n")
    shell.expect(r"<typed>\r\n\$> ")
    shell.type("echo code $?\n")
    shell.expect(r"\ncode 7\r\n\$> ")
    assert events()[-1]["exit_code"] == 7
    assert shell.settings()[:6] == before[:6]


@LOGGED
def test_background(shell: Any, log: str) -> None:
    """A job stopped and sent to the background runs on there, comes back with fg, and takes the keyboard again."""
    program = _script(
        "import os, time\n"
        "print('ready', flush=True)\n"
        "while not os.path.exists('go'): time.sleep(0.01)\n"
        "print('going', flush=True)\n"
        "print(f'<{input()}>')\n"
    )
    shell.type(f"$RUN $R {log}-- {program}\n")
    shell.expect(r"ready\r\n")
    shell.type("\x1a")
    shell.expect(r"Stopped(?s:.*?)\r\n\$> ")
    shell.type("bg\n")
    shell.expect(r"&\r\n\$> ")
    shell.type("echo mine; sleep 0.2\n")
    shell.expect(r"\nmine\r\n\$> ")
    shell.type("fg\n")
    shell.expect(r"python[\d.]* script\r\n")
    shell.expect_job()
    Path("go").write_text("")
    shell.expect(r"going\r\n")
    shell.type("typed\n")
    shell.expect(r"<typed>\r\n\$> ")


@LOGGED
def test_command_that_suspends_itself(shell: Any, log: str) -> None:
    """A program that handles Ctrl-Z itself, as editors do, tidies up, stops and gets SIGCONT when resumed."""
    program = _script(
        "import os, signal, tty, sys\n"
        "tty.setraw(0)\n"
        "sys.stdout.write('ready\\r\\n'); sys.stdout.flush()\n"
        "signal.signal(signal.SIGCONT, lambda *_: (tty.setraw(0), os.write(1, b'woken\\r\\n')))\n"
        "while (key := os.read(0, 1)) != b'q':\n"
        "    os.write(1, b'key %r\\r\\n' % key)\n"
        "    if key == b'\\x1a': os.kill(0, signal.SIGTSTP)\n"
    )
    shell.type(f"$RUN $R {log}-- {program}\n")
    shell.expect(r"ready\r\n")
    # every key comes as it is typed, Ctrl-C as well
    shell.type("\x03")
    shell.expect(r"key b'\\x03'\r\n")
    shell.type("\x1a")
    shell.expect(r"key b'\\x1a'\r\n")
    shell.expect(r"Stopped(?s:.*?)\r\n\$> ")
    shell.type("fg\n")
    shell.expect(r"woken\r\n")
    shell.type("x")
    shell.expect(r"key b'x'\r\n")
    shell.type("q")
    shell.expect(r"\$> ")
    shell.type("echo code $?; stty sane\n")
    shell.expect(r"code 0\r\n")


@LOGGED
def test_settings_the_command_leaves(shell: Any, log: str) -> None:
    """What the command does to the terminal's settings stays as it would without the wrapper; else nothing changes."""
    before = shell.settings()
    shell.type(
        f"sh -c '$RUN $R {log}-- true; stty -a; $RUN $R {log}-- stty -echo intr ^K; stty -a; stty echo intr ^C'\n"
    )
    first, second = (shell.expect(r"(speed [^$]*?extproc)")[1] for _ in range(2))
    assert (b" echo " in first, b" -echo " in second) == (True, True)
    assert (b"intr = ^C" in first, b"intr = ^K" in second) == (True, True)
    shell.expect(r"\$> ")
    assert shell.settings()[:6] == before[:6]


@LOGGED
def test_part_of_a_pipeline(shell: Any, log: str) -> None:
    """In a pipeline the keyboard stays with whoever reads it: here with the reader at the pipeline's end."""
    talk = "sh -c 'while echo from the command; do sleep 0.05; done'"
    shell.type(f'$RUN $R {log}-- {talk} | (read a; echo got $a; read line </dev/tty; echo "<$line>")\n')
    shell.expect(r"got from the command\r\n")
    shell.type("typed\n")
    shell.expect(r"<typed>\r\n\$> ")
    shell.type(
        f"echo in | $RUN $R {log}-- sh -c 'cat; test -t 1 && stty size </dev/tty; read l </dev/tty; echo \"<$l>\"'\n"
    )
    shell.expect(r"in\r\n24 80\r\n")
    shell.type("typed\n")
    shell.expect(r"<typed>\r\n\$> ")
    shell.type(f"echo in | $RUN $R {log}-- sh -c 'echo ready; exec sleep 60'\n")
    shell.expect(r"ready\r\n")
    shell.type("\x03")
    shell.expect(r"\$> ")
    shell.type("echo code $?\n")
    shell.expect(r"\ncode 130\r\n")


@LOGGED
def test_streams_apart(shell: Any, log: str) -> None:
    """Standard error in a file stays out of the terminal, with standard output there."""
    shell.type(f"$RUN $R {log}-- sh -c 'echo out; echo err >&2; test -t 1 && ! test -t 2; echo $?' 2>err\n")
    shell.expect(r"out\r\n0\r\n\$> ")
    assert Path("err").read_text() == "err\n"
    if log:
        assert sorted(Path("log").read_text().splitlines()) == ["0", "err", "out"]


@LOGGED
def test_interactive_shell_inside(shell: Any, log: str) -> None:
    """An interactive shell within has job control of its own, and `suspend` in it comes back to the outer shell."""
    shell.type(f"$RUN $R {log}-- bash --norc --noprofile -i\n")
    shell.expect(r"\$> ")
    shell.type("sh -c 'echo ready; exec sleep 60'\n")
    shell.expect(r"\nready\r\n")
    shell.type("\x1a")
    shell.expect(r"Stopped(?s:.*?)\r\n\$> ")
    shell.type("kill -9 %1; PS1='inner> '\n")
    shell.expect(r"\r\ninner> ")
    shell.type("suspend -f\n")
    shell.expect(r"Stopped(?s:.*?)\r\n\$> ")
    shell.type("fg\n")
    shell.expect(r"-i\r\n")
    shell.expect_job()
    shell.type("echo inner again\n")
    shell.expect(r"\ninner again\r\n(?s:.*?)inner> ")
    shell.type("exec echo the end\n")
    shell.expect(r"\nthe end\r\n\$> ")


@LOGGED
def test_hang_up(terminal: Callable[..., Any], events: Read, poll: Poll, log: str, tmp_path: Path) -> None:
    """When the terminal goes away the command gets SIGHUP and its end is recorded."""
    words = ["--build", "b", "--step", "s", *(["--log", str(tmp_path / "log")] if log else [])]
    screen = terminal(
        sys.executable, "-m", "build_exporter", "run", *words, "--", "sh", "-c", "echo ready; exec sleep 60"
    )
    screen.expect("ready")
    screen.hang_up()
    poll(lambda: len(events()) == 3)
    assert (events()[-1]["status"], events()[-1]["signal"]) == ("interrupted", 1)


def test_much_output_and_typing_at_once(terminal: Callable[..., Any], wrapper: list[str], tmp_path: Path) -> None:
    """With a log nothing is lost when megabytes come out while more is typed than the command reads."""
    words = [*wrapper, "--build", "b", "--step", "s", "--log", str(tmp_path / "log"), "--"]
    screen = terminal(*words, "sh", "-c", "stty raw -echo; echo ready; seq 200000; head -c 20000 | cksum")
    screen.expect("ready")
    data = bytes(range(32, 127)) * 211
    for start in range(0, 20000, 1000):
        screen.type(data[start : start + 1000].decode())
    cksum = subprocess.run(["cksum"], input=data[:20000], capture_output=True, check=True).stdout
    screen.expect(cksum.decode().strip())
    assert screen.end() == 0
    lines = (tmp_path / "log").read_text().split()
    assert lines[1:200001] == [str(n) for n in range(1, 200001)]


def test_job_below_a_script_that_suspends_itself(shell: Any) -> None:
    """With a log too, a program that stops its job stops the script it was started by, and continues with it."""
    program = _script(
        "import os, signal, sys\n"
        "print('stopping', flush=True)\n"
        "os.kill(0, signal.SIGTSTP)\n"
        "print('going on', flush=True)\n"
    )
    Path("outer").write_text(f"$RUN $R --log log -- {program}\necho script ends\n")
    shell.type("export R; sh outer\n")
    shell.expect(r"stopping\r\n")
    shell.expect(r"Stopped(?s:.*?)\r\n\$> ")
    shell.type("fg\n")
    shell.expect(r"going on\r\nscript ends\r\n\$> ")


def test_settings_while_in_the_background(shell: Any, poll: Poll) -> None:
    """A job in the background with a log leaves the terminal's settings to the job in the foreground."""
    shell.type("$RUN $R --log log -- sh -c 'echo begun; sleep 1.2; echo over' &\n")
    poll(lambda: Path("log").exists() and "begun" in Path("log").read_text())
    shell.type("cat\n")
    shell.expect(r"cat\r\n")
    shell.expect_job()
    while "over" not in Path("log").read_text():
        assert shell.settings()[3] & (termios.ICANON | termios.ECHO | termios.ISIG) == 0o13
    shell.type("line\n\x04")
    shell.expect(r"line\r\n(?s:.*?)line\r\n")


def test_log_of_a_job_that_never_had_the_terminal(shell: Any, poll: Poll) -> None:
    """Started in the background with `&` and a log, the command does not take the keyboard from the shell."""
    shell.type("$RUN $R --log log -- sh -c 'sleep 0.3; echo out; exit 3' &\n")
    shell.expect(r"\[1\] \d+\r\n\$> ")
    for number in range(20):
        shell.type(f"echo mine {number}\n")
        shell.expect(rf"\nmine {number}\r\n")
    shell.type("wait $!; echo code $?\n")
    shell.expect(r"\ncode 3\r\n")
    assert Path("log").read_text() == "out\n"
