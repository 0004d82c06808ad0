"""What all tests share: a journal to write, an exporter to ask, and waiting that polls instead of sleeping."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import zygote
from prometheus_client.parser import text_string_to_metric_families

# how long an example takes says more of the machine's other work than of ours
hypothesis.settings.register_profile("tests", deadline=None, max_examples=50)
# for a night: pytest --hypothesis-profile=thorough
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("tests")

COMMAND = (sys.executable, "-m", "build_exporter")


def start_command(words: list[str], log: Any, environment: dict[str, str]) -> Any:
    """Start `build-exporter` in the background, its errors in a file; return what `subprocess.Popen` would."""
    if not zygote.is_usual(environment):
        return subprocess.Popen([*COMMAND, *words], stderr=log, env=environment)
    return zygote.forks().start(words, [0, 1, log.fileno()], environment)


def wait_until(check: Callable[[], bool], seconds: float = 15.0, what: str = "") -> None:
    """Poll until `check` holds; fail when it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"did not come within {seconds} s: {what or check}"
        time.sleep(0.01)


class RunFile:
    """A run's file, written as any writer may: one line, one append. `clock` is the time of the newest event."""

    def __init__(self, journal: Path, build: str = "lfs", run: str = "20260102T030405Z", clock: float = 1.78e9) -> None:
        self.path = journal / build / f"{run}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.build, self.run, self.clock = build, run, clock

    def add(self, event: str, after: float = 1.0, **fields: object) -> None:
        """Append an event `after` seconds later than the one before."""
        self.clock += after
        self.raw(json.dumps({"time": self.clock, "event": event, "build": self.build, **fields}).encode() + b"\n")

    def step(self, phase: str, step: str, seconds: float = 10.0, status: str = "succeeded", **fields: object) -> None:
        """Append a whole step."""
        self.add("step_started", phase=phase, step=step)
        self.add("step_finished", after=seconds, phase=phase, step=step, status=status, **fields)

    def raw(self, data: bytes) -> None:
        """Append bytes."""
        with self.path.open("ab", buffering=0) as file:
            file.write(data)


class Served:
    """A running `build-exporter serve`: forked, or started from nothing by `program`, below `prefix`."""

    def __init__(
        self,
        journal: Path,
        log: Path,
        *flags: str,
        environment: dict[str, str] | None = None,
        trust: Path | None = None,
        prefix: tuple[str, ...] = (),
        program: tuple[str, ...] = (),
        ready: bool = True,
    ) -> None:
        self.journal, self.log = journal, log
        self.trust = ssl.create_default_context(cafile=str(trust)) if trust is not None else None
        words = ["serve", "--journal", str(journal), "--web.listen-address", "127.0.0.1:0", *flags]
        variables = {**os.environ, **(environment or {})}
        with log.open("wb") as stream:
            if prefix or program:
                words = [*prefix, *(program or COMMAND), *words]
                self.process: Any = subprocess.Popen(words, stderr=stream, env=variables)
            else:
                self.process = start_command(words, stream, variables)
        try:
            wait_until(self._is_listening, 60, "the exporter listens")
            if ready:
                wait_until(lambda: self.get("/-/ready")[0] == 200, 60, "the exporter is ready")
        except BaseException:
            self.kill()
            raise

    def _is_listening(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        found = re.search(r'listen"?[=:] ?"?(?:127\.0\.0\.1|0\.0\.0\.0):(\d+)', self.log.read_text())
        self.port = int(found[1]) if found else 0
        return self.port > 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.trust else 'http'}://127.0.0.1:{self.port}"

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers (lower case) and body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, headers=named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self.trust) as answer:
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Return every sample of `/metrics` by name and labels."""
        text = self.get("/metrics")[2].decode()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, /, **labels: str) -> float | None:
        """Return the sum of the samples of `name` whose labels include `labels`, None without one."""
        found = [v for (n, have), v in self.samples().items() if n == name and labels.items() <= have]
        return sum(found) if found else None

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """End it as a service manager does and return its exit code."""
        self.process.terminate()
        return int(self.process.wait(15))


@pytest.fixture(scope="session", autouse=True)
def _usual_signals() -> None:
    """Give what tests start the usual signals, whatever started the tests: a shell's `&` has them ignore Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGHUP, signal.SIGTTOU, signal.SIGTTIN):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """An empty journal directory."""
    path = tmp_path / "journal"
    path.mkdir()
    return path


@pytest.fixture
def run_file(journal: Path) -> Callable[..., RunFile]:
    """Make run files in the journal."""
    return lambda *args, **options: RunFile(journal, *args, **options)


@pytest.fixture
def poll() -> Callable[..., None]:
    """Wait for something by looking again and again."""
    return wait_until


def _serving(journal: Path, logs: Path) -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(*flags: str, **options: Any) -> Served:
        log = logs / f"serve-{len(started)}.log"
        served = Served(options.pop("journal", journal), log, *flags, **options)
        started.append(served)
        return served

    yield start
    for served in started:
        if served.process.poll() is None:
            served.kill()


@pytest.fixture
def serve(journal: Path, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start exporters over the journal; those still running are ended with the test."""
    yield from _serving(journal, tmp_path)


@pytest.fixture(scope="module")
def journal_of_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of `serve_all`."""
    return tmp_path_factory.mktemp("journal")


@pytest.fixture(scope="module")
def run_file_of_all(journal_of_all: Path) -> Callable[..., RunFile]:
    """Make run files in the journal of `serve_all`."""
    return lambda *args, **options: RunFile(journal_of_all, *args, **options)


@pytest.fixture(scope="module")
def serve_all(tmp_path_factory: pytest.TempPathFactory, journal_of_all: Path) -> Iterator[Callable[..., Served]]:
    """Start exporters that the tests of a module share because none changes them."""
    yield from _serving(journal_of_all, tmp_path_factory.mktemp("logs"))


@pytest.fixture
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `build-exporter` with arguments and return how it ended."""

    def call(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        options.setdefault("timeout", 60)
        if options.keys() <= {"timeout", "env", "cwd", "input"} and zygote.is_usual(options.get("env") or {}):
            return zygote.forks().run(list(arguments), **options)
        return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, **options)

    return call


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's top."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def records() -> Path:
    """Other people's build records, where they are at hand."""
    path = Path(os.environ.get("BUILD_RECORDS", Path(__file__).resolve().parents[2] / "shared" / "records"))
    if not path.is_dir():
        pytest.skip("no build records here (BUILD_RECORDS)")
    return path


@pytest.fixture
def run_examples(repository: Path, tmp_path: Path) -> Callable[[str, int], list[subprocess.CompletedProcess[str]]]:
    """Run the shell blocks of a page, which must be so many, one after the other in the test's directory."""
    zygote.forks().install(tmp_path / "build-exporter")
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "BUILD_EXPORTER_JOURNAL": str(tmp_path / "journal"),
    }

    def run(page: str, count: int) -> list[subprocess.CompletedProcess[str]]:
        blocks = re.findall(r"^```sh\n(.*?)^```$", (repository / page).read_text(), re.MULTILINE | re.DOTALL)
        assert len(blocks) == count
        ended = []
        for block in blocks:
            done = subprocess.run(
                ["sh", "-e", "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (block, done.stdout, done.stderr)
            ended.append(done)
        return ended

    return run
