"""One wrong file an error, each with the exact line that reports it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from build_exporter.config.load import MAX_BYTES, MAX_PROBLEMS, load, parse_config
from build_exporter.config.problems import ConfigError

Faults = Callable[[str | bytes], list[str]]

ADDRESS = "an address (http:// or https://, without user and password)"


def case(block: str) -> tuple[str, str, list[str]]:
    """Return a case of faults.txt: its name, the file, and the lines reported it."""
    name, *lines = block.rstrip("\n").split("\n")
    reported = [f"config.yml:{line.removeprefix('! ')}" for line in lines if line.startswith("! ")]
    return name, "".join(f"{line}\n" for line in lines if not line.startswith("! ")), reported


CASES = [case(block) for block in Path(__file__).with_name("faults.txt").read_text("utf-8").split("\n# ")[1:]]


@pytest.mark.parametrize(("name", "text", "reported"), CASES, ids=[name for name, _, _ in CASES])
def test_fault_is_reported_with_its_line(faults: Faults, name: str, text: str, reported: list[str]) -> None:
    """Whoever writes a wrong file is reported these lines, and no others."""
    assert reported, name
    assert faults(text) == reported, name


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        pytest.param("web: {}\na: \x07\n", "2:4: the character U+0007 is not allowed", id="control character"),
        pytest.param("web: {}\n# f\xfcr\n".encode("latin-1"), "2:4: not UTF-8: byte 0xFC", id="not UTF-8"),
        pytest.param(b"\xef\xbb\xbfa: \xff\n", "1:4: not UTF-8: byte 0xFF", id="not UTF-8 after a byte order mark"),
        pytest.param("[" * 10_000, "1:33: nested deeper than 32 levels", id="deep"),
        pytest.param("[" + "a," * 20_000 + "]", "1:40000: more than 20000 values", id="many values"),
        pytest.param(
            "web: {hosts: [" + "a," * 501 + "]}",
            "1:14: web.hosts has 501 items; allowed: at most 500",
            id="many items",
        ),
        pytest.param(
            "queries:\n" + "".join(f"  q{n}: up\n" for n in range(501)),
            "2:3: queries has 501 keys; allowed: at most 500",
            id="many keys",
        ),
        pytest.param(
            f"hooks: {{directory: {'a' * 5000}}}",
            f"1:20: hooks.directory is '{'a' * 59}…': it has 5000 characters; allowed: a path, or none",
            id="long value",
        ),
    ],
)
def test_damaged_or_monstrous_file_is_reported_briefly(faults: Faults, content: str | bytes, reported: str) -> None:
    """What no editor wrote is refused in one line and in little time and memory."""
    assert faults(content) == [f"config.yml:{reported}"]


DATABASES = "postgresql://USER@HOST/NAME, mysql://USER@HOST/NAME or sqlite:///FILE, without a password"


@pytest.mark.parametrize(
    ("kind", "target", "needed"),
    [
        ("tcp", "localhost", "host:port"),
        ("tcp", "localhost:0", "host:port"),
        ("tcp", "localhost:65536", "host:port"),
        ("http", "http://", ADDRESS),
        ("http", "http://user:geheim@mirror/", ADDRESS),
        ("http", "http://mirror:geheim/", ADDRESS),
        ("http", "http://[::1/", ADDRESS),
        ("dns", "a..b", "a host name"),
        ("dns", "a" * 250 + "!", "a host name"),
        ("command", "echo 'geheim", "a command line with closed quotes"),
        ("database", "postgresql://me:geheim@db/x", DATABASES),
        ("database", "mysql://me@db/x?password=geheim", DATABASES),
        ("database", "oracle://me@db/geheim", DATABASES),
        ("database", "sqlite://geheim/x.db", DATABASES),
        ("disk", "geheim", "an absolute path"),
    ],
)
def test_probe_target_must_suit_its_kind_and_is_not_repeated(
    faults: Faults, kind: str, target: str, needed: str
) -> None:
    """A target that cannot be tried is reported, by what the kind needs and without the password that may be in it."""
    reported = faults(f"probes:\n  - name: a\n    kind: {kind}\n    target: {target!r}\n")
    assert reported == [f"config.yml:4:5: probes[0] has a target that kind {kind} cannot try; allowed: {needed}"]


@pytest.mark.parametrize(
    "url", ["http://me:geheim@host/", "http://host:geheim/", "ftp://me:geheim@host", "http://[geheim/"]
)
def test_secret_value_is_never_repeated(faults: Faults, url: str) -> None:
    """A password written into an address reaches neither the terminal nor a log."""
    (reported,) = faults(f"alerting:\n  alertmanager_url: {url}\n")
    assert reported.startswith("config.yml:2:21: alerting.alertmanager_url is wrong (not shown: it may be secret)")
    assert "geheim" not in reported


def test_all_faults_are_reported_at_once_in_the_order_of_the_file(faults: Faults) -> None:
    """One look at the errors is enough to mend a file: the valid rest of a wrong section is checked too."""
    reported = faults(
        "schedule: {deadline: 1, duration: 2s, tolerence: 1}\n"
        "milestones:\n  - {name: a, phase: x}\n  - {name: b, progress: 2}\n  - {name: a, step: y}\n  - 5\n"
        "hooks: *later\nqueries: {a: up, a: down}\nretention: {runs: 0, age: 1s}\nweb: !x\n"
    )
    places = [line.split(" ", 1)[0] for line in reported]
    assert places == [
        f"config.yml:{place}:"
        for place in ("1:25", "1:39", "4:25", "5:6", "6:5", "7:8", "8:18", "9:19", "9:27", "10:6")
    ]


def test_hopeless_file_shows_only_so_much(faults: Faults) -> None:
    """A log or a program given by mistake does not scroll the terminal away."""
    assert len(faults("milestones:\n" + "  - 1\n" * 400)) == MAX_PROBLEMS


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("none.yml", "No such file or directory"),
        (".", "Is a directory"),
        ("config.yml/x", "Not a directory"),
        ("a\0b", "embedded null byte"),
        ("a" * 300, "File name too long"),
    ],
)
def test_file_that_cannot_be_read_is_reported_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, reason: str
) -> None:
    """A wrong path is an error of the same form, with the reason of the system."""
    monkeypatch.chdir(tmp_path)
    Path("config.yml").touch()
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value) == f"{file}: cannot be read: {reason}".replace("\0", "\\x00")
    assert [problem.line for problem in caught.value.problems] == [0]


def test_file_without_permission_is_reported(tmp_path: Path) -> None:
    """A file of another user is reported as such, not as an empty configuration."""
    file = tmp_path / "config.yml"
    file.touch()
    file.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:  # who reads everything
            os.seteuid(65534)
        with pytest.raises(ConfigError, match=r"config\.yml: cannot be read: Permission denied"):
            load(file)
    finally:
        os.seteuid(user)


def test_file_above_the_limit_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A device or a log given by mistake neither hangs the exporter nor fills its memory."""
    file = tmp_path / "config.yml"
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    for path in (file, Path("/dev/zero")):
        with pytest.raises(ConfigError, match="cannot be read: larger than 256 KiB"):
            load(path)
    file.write_bytes(b"#" * MAX_BYTES)
    load(file)


@pytest.mark.parametrize("opened", ["[", "{", "[ \n", "[{"])
def test_deep_nesting_costs_less_than_an_ordinary_file(opened: str) -> None:
    """A file nested 50,000 deep is refused before it is parsed: nobody waits for the answer to a reload."""

    def cost(text: str) -> float:
        began = time.process_time()
        with pytest.raises(ConfigError, match=r"nested deeper than 32|unknown key"):
            parse_config(text.encode(), "f")
        return time.process_time() - began

    assert cost("x: " + opened * 50_000) < cost("".join(f"k{n}: 1\n" for n in range(400)))


def test_name_of_the_file_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    """A file name with control characters is shown escaped."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "\x1b[2J\n")
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)
