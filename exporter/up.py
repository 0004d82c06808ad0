"""Start the whole bundle on this machine, with a recorded build while there is no other, and stop it all at Ctrl-C.

With a Docker daemon the compose file is started, with Grafana; else the programs of the Procfile that are installed.
The recorded build is replayed into a journal of its own, which goes with it: the user's journal takes its place as
soon as it has a build.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
VAR = TOP / "var"
DEFAULT_JOURNAL = "/var/lib/build-exporter/journal"
BUILD_ROOT = os.environ.get("BUILD_ROOT", "")
DEMO = VAR / "demo"
"""The journal of the recorded build."""
EXAMPLE = "mini-lfs"
RECORDED = TOP / "examples" / "recorded" / EXAMPLE

REPLAY_SECONDS = 300.0
"""Duration of the recorded build when it is replayed."""

HEALTH = {
    "exporter": "http://127.0.0.1:10110/-/ready",
    "prometheus": "http://127.0.0.1:9090/-/ready",
    "alertmanager": "http://127.0.0.1:9093/-/ready",
    "grafana": "http://127.0.0.1:3000/api/health",
}

PAGES = {
    "exporter": ("live page", ("http://localhost:10110/",), ""),
    # Prometheus 3 and 2 with their own interface, Debian's with the classic one
    "prometheus": ("Prometheus", ("http://localhost:9090/alerts", "http://localhost:9090/classic/alerts"), ""),
    # Debian's Alertmanager answers with a page without the interface's script
    "alertmanager": ("Alertmanager", ("http://localhost:9093/",), "script.js"),
    "grafana": ("Grafana", ("http://localhost:3000/",), ""),
}
"""Title, addresses of which the first that answers is shown, and what the page there holds where it is of use."""


PROGRAMS = {
    "exporter": ("build-exporter",),
    "prometheus": ("prometheus",),
    "alertmanager": ("alertmanager", "prometheus-alertmanager"),
}
"""Programs of which each line of the Procfile needs one."""


@dataclass(slots=True)
class Program:
    """One program of the Procfile, running."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    reported: bool = False


def main() -> int:
    """Run until Ctrl-C or SIGTERM; return the exit code."""
    os.chdir(TOP)
    journal = _journal()
    _remove_demo(journal)
    is_demo = RECORDED.is_dir() and not _builds(journal)
    _serve(DEMO if is_demo else journal)
    for directory in (VAR / "log", VAR / "prometheus", VAR / "alertmanager"):
        directory.mkdir(parents=True, exist_ok=True)
    # also where this was started with SIGINT ignored, and when the terminal is closed
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    docker = _has_docker()
    programs: list[Program] = []
    try:
        names = _start_compose() if docker else _start_programs(programs)
        if not names:
            return 1
        _show(names, journal)
        if is_demo:
            programs.append(_start_replay())
            _watch(programs, until=lambda: bool(_builds(journal) or _builds(DEMO) - {EXAMPLE}))
            _end_demo(programs, journal, docker=docker)
        _watch(programs)
    except KeyboardInterrupt:
        print("\nstopping")
    finally:
        _stop(programs)
        if docker:
            subprocess.run(["docker", "compose", "down"], check=False)
        _remove_demo(journal)
    return 0


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _journal() -> Path:
    """Return the journal that the commands use as well: the environment's, else the system's or the user's."""
    state = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    default = DEFAULT_JOURNAL if os.geteuid() == 0 else f"{state}/build-exporter/journal"
    return Path(os.environ.get("BUILD_EXPORTER_JOURNAL") or default).absolute()


def _builds(journal: Path) -> set[str]:
    """Return the names of the builds that a journal has."""
    return {path.parent.name for path in journal.glob("*/*.jsonl") if not path.parent.name.startswith(".")}


def _serve(journal: Path) -> None:
    """Make a journal the one that is shown; logs of the recorded build are in its own, and there in a container too."""
    journal.mkdir(parents=True, exist_ok=True)
    os.environ["BUILD_EXPORTER_JOURNAL"] = str(journal)
    root = BUILD_ROOT or (str(DEMO) if journal == DEMO else "")
    os.environ.pop("BUILD_ROOT", None)
    os.environ.update({"BUILD_ROOT": root} if root else {})


def _remove_demo(journal: Path) -> None:
    """Remove the recorded build; others that were posted meanwhile go to the user's journal."""
    for build in _builds(DEMO) - {EXAMPLE}:
        (journal / build).mkdir(parents=True, exist_ok=True)
        for path in (DEMO / build).iterdir():
            shutil.move(path, journal / build / path.name)
    shutil.rmtree(DEMO, ignore_errors=True)


def _end_demo(programs: list[Program], journal: Path, *, docker: bool) -> None:
    """Show the user's journal in place of the recorded build."""
    print(f"A build has begun: the journal {journal} is shown in place of the recorded build.", flush=True)
    gone = [each for each in programs if each.name in ("replay", "exporter")]
    _stop(gone)
    programs[:] = [each for each in programs if each not in gone]
    _remove_demo(journal)
    _serve(journal)
    _start_compose() if docker else _start_programs(programs)


def _has_docker() -> bool:
    if not shutil.which("docker"):
        return False
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        if subprocess.run(command, check=False, capture_output=True).returncode:
            return False
    return True


def _start_compose() -> list[str]:
    password = _make_secret("grafana-admin-password")
    _make_secret("grafana-secret-key")
    print("starting the containers")
    subprocess.run(["docker", "compose", "up", "--build", "--detach", "--wait"], check=True)
    print(f"Grafana's user is admin, the password is in {password.relative_to(TOP)}")
    return list(HEALTH)


def _make_secret(name: str) -> Path:
    """Return the file of a secret, made at random where there is none; the directory is for its owner alone."""
    directory = VAR / "secrets"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / name
    if not path.exists():
        path.write_text(secrets.token_urlsafe(24))
        # read inside the container by a user of its own
        path.chmod(0o444)
    return path


def _procfile() -> Iterator[tuple[str, str]]:
    for line in (TOP / "Procfile").read_text().splitlines():
        name, colon, command = line.partition(":")
        if colon and not line.startswith("#"):
            yield name.strip(), command.strip()


def _start_programs(programs: list[Program]) -> list[str]:
    """Start what is installed and whose port is free; return the names that became ready, none without the exporter."""
    ready = []
    for name, command in _procfile():
        if name not in PROGRAMS:
            continue
        url = HEALTH[name]
        if not any(shutil.which(program, path=_path()) for program in PROGRAMS[name]):
            print(f"{name}: not started, {' or '.join(PROGRAMS[name])} is not installed")
            continue
        if name in {each.name for each in programs}:
            continue
        if _is_taken(url):
            print(f"{name}: not started, another program listens at {url.split('/')[2]}")
            continue
        programs.append(_start(name, command))
        if _wait_ready(programs[-1], url):
            ready.append(name)
        else:
            print(f"{name}: did not become ready, see {programs[-1].log.relative_to(TOP)}")
    return ready if "exporter" in ready else []


def _path() -> str:
    return f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"


def _start(name: str, command: str) -> Program:
    log = VAR / "log" / f"{name}.log"
    with log.open("ab") as stream:
        # a session of its own: Ctrl-C reaches this program alone, which then ends the others in order
        process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            env={**os.environ, "PATH": _path()},
        )
    return Program(name, process, log)


def _is_taken(url: str) -> bool:
    host, _, port = url.split("/")[2].partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def _wait_ready(program: Program, url: str, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while program.process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return True
        except OSError:
            time.sleep(0.1)
    return False


def _show(names: list[str], journal: Path) -> None:
    command = f"{Path(sys.executable).parent}/build-exporter"
    print()
    for name in names:
        title, addresses, content = PAGES[name]
        address = next((each for each in addresses if _has_page(each, content)), "")
        print(f"  {title:12}  {address or 'runs, without a web page: its alerts are on the live page'}")
    print(f"""
The journal is {journal}.
To watch a build of your own, in another shell:

  {command} run --build my-build -- make -j2

or, in a build script of your own, step by step:

  . "$({command} hook)"
  be_start my-build
  be_step chapter-5 binutils-pass1 ./build-binutils

Ctrl-C stops everything started here.
""", flush=True)  # fmt: skip


def _has_page(address: str, content: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return content in answer.read().decode(errors="replace")
    except OSError:
        return False


def _start_replay() -> Program:
    print(
        f"The journal has no build yet. A recorded one, {EXAMPLE}, is replayed now, in about"
        f" {REPLAY_SECONDS / 60:.0f} minutes; it goes when a build of your own begins, or with Ctrl-C.",
        flush=True,
    )
    recording = next(RECORDED.glob("*.jsonl"))
    speed = max(1.0, _seconds(recording) / REPLAY_SECONDS)
    return _start("replay", f"exec build-exporter replay '{recording}' --speed {speed:.2f}")


def _seconds(path: Path) -> float:
    times = [json.loads(line)["time"] for line in path.read_text().splitlines() if line.strip()]
    return float(max(times) - min(times))


def _watch(programs: list[Program], until: Callable[[], bool] = lambda: False) -> None:
    """Report when one ends, until interrupted or something has come."""
    while not until():
        for program in programs:
            code = program.process.poll()
            if code is not None and not program.reported:
                program.reported = True
                how = "has ended" if code == 0 else f"ended with code {code}, see {program.log.relative_to(TOP)}"
                print(f"{program.name} {how}", flush=True)
        time.sleep(0.5)


def _stop(programs: list[Program]) -> None:
    for program in reversed(programs):
        if program.process.poll() is None:
            program.process.terminate()
    for program in programs:
        try:
            program.process.wait(15)
        except subprocess.TimeoutExpired:
            program.process.kill()
            program.process.wait()


if __name__ == "__main__":
    raise SystemExit(main())
