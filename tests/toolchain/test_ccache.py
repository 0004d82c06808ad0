"""ccache's counters, read from its files, are those that ccache prints."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_exporter.collectors.toolchain import CcacheCollector
from build_exporter.toolchain.ccache import cache_directory, read_statistics, size_limit
from build_exporter.toolchain.files import Files
from build_exporter.toolchain.processes import ProcessFacts
from build_exporter.toolchain.surveyor import Helpers

Compile = Callable[..., None]


@pytest.fixture
def compile_with_ccache(tmp_path: Path) -> Compile:
    """Compile something with a cache."""
    if shutil.which("ccache") is None:
        pytest.skip("ccache is not installed")

    def run(cache: Path, *arguments: str, text: str = "int main(void){return 0;}", **variables: str) -> None:
        source = tmp_path / "a.c"
        source.write_text(text)
        # ccache reads no file that is too new to be trusted
        os.utime(source, (time.time() - 60, time.time() - 60))
        command = ["ccache", "gcc", *(arguments or ("-c", str(source), "-o", str(tmp_path / "a.o")))]
        environment = {**os.environ, "CCACHE_DIR": str(cache), **variables}
        subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)

    return run


def printed(cache: Path) -> dict[str, int]:
    """Return ccache's own statistics of a cache."""
    reported = subprocess.run(
        ["ccache", "--print-stats"], env={**os.environ, "CCACHE_DIR": str(cache)}, capture_output=True, check=True
    )
    return {name: int(count) for name, count in re.findall(r"^(\w+)\t(\d+)$", reported.stdout.decode(), re.MULTILINE)}


def test_counters_are_those_that_ccache_prints(files: Files, tmp_path: Path, compile_with_ccache: Compile) -> None:
    """Hits of both kinds, misses, uncacheable calls and the size agree with `ccache --print-stats`."""
    cache = tmp_path / "cache"
    compile_with_ccache(cache)
    compile_with_ccache(cache)
    compile_with_ccache(cache, CCACHE_NODIRECT="1")
    compile_with_ccache(cache, text="int f(void){return 1;}")
    compile_with_ccache(cache, "-c", str(tmp_path / "missing.c"))
    compile_with_ccache(cache, str(tmp_path / "a.o"), "-o", str(tmp_path / "a"))
    found = read_statistics(files, cache)
    assert found is not None
    own = printed(cache)
    assert (found.direct_hits, found.preprocessed_hits, found.misses) == (1, 1, 2)
    assert found.direct_hits == own["direct_cache_hit"]
    assert found.preprocessed_hits == own["preprocessed_cache_hit"]
    assert found.misses == own["cache_miss"]
    assert found.uncacheable == own["called_for_link"] + own["no_input_file"] == 2
    assert found.files == own["files_in_cache"] > 0
    assert found.bytes == 1024 * own["cache_size_kibibyte"] > 0


def test_every_counter_means_what_ccache_means_by_it(files: Files, tmp_path: Path) -> None:
    """Each place in a file of counters is reported under the heading that ccache puts it under."""
    if shutil.which("ccache") is None:
        pytest.skip("ccache is not installed")
    (tmp_path / "0").mkdir()
    # sums of powers of two tell which of them are in a sum
    (tmp_path / "0/stats").write_text("".join(f"{1 << place}\n" for place in range(43)))
    found = read_statistics(files, tmp_path)
    assert found is not None
    reported = subprocess.run(
        ["ccache", "-svv"], env={**os.environ, "CCACHE_DIR": str(tmp_path)}, capture_output=True, check=True
    ).stdout.decode()

    def shown(heading: str) -> int:
        line = re.search(rf"^\s*{heading}:\s+(\d+)", reported, re.MULTILINE)
        assert line, reported
        return int(line[1])

    assert found.direct_hits == shown("Direct")
    assert found.preprocessed_hits == shown("Preprocessed")
    assert found.misses == shown("Misses")
    assert found.uncacheable == shown("Uncacheable calls")
    assert found.errors == shown("Errors")
    assert found.cleanups == shown("Cleanups")


def test_a_limit_is_that_of_the_configuration(files: Files, tmp_path: Path, compile_with_ccache: Compile) -> None:
    """The largest size is reported where the cache's own configuration says it, as ccache wrote it."""
    compile_with_ccache(tmp_path / "cache")
    found = read_statistics(files, tmp_path / "cache")
    assert found is not None
    assert found.limit_bytes is None
    environment = {**os.environ, "CCACHE_DIR": str(tmp_path / "cache")}
    subprocess.run(["ccache", "--max-size", "2.5G"], env=environment, check=True, capture_output=True)
    found = read_statistics(files, tmp_path / "cache")
    assert found is not None
    assert found.limit_bytes == 2_500_000_000


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("max_size = 5.0G", 5 * 10**9),
        ("# max_size = 1G\nmax_size=20 GiB\n", 20 * 1024**3),
        ("max_size = 700M", 700 * 10**6),
        ("max_size = 3", 3 * 10**9),
        ("max_size = 0", None),
        ("max_size = lots", None),
        ("", None),
    ],
)
def test_sizes_are_spelled_in_many_ways(text: str, limit: int | None) -> None:
    """Decimal and binary units, with and without B, and the last of several lines counts."""
    assert size_limit(text) == limit


def test_damaged_files_cost_their_own_share(files: Files, tmp_path: Path) -> None:
    """Older versions' shorter files, torn, foreign and hostile ones are added up as far as they are numbers."""
    for name in "0123":
        (tmp_path / name).mkdir()
    (tmp_path / "0/stats").write_text("0\n0\n0\n0\n7\n")
    (tmp_path / "1/stats").write_text("0 0 0 0 5 x -3 99999999999999999999999999 2")
    (tmp_path / "2/stats").write_bytes(b"\xff" * 9000)
    os.mkfifo(tmp_path / "3/stats")
    found = read_statistics(files, tmp_path)
    assert found is not None
    assert (found.misses, found.preprocessed_hits, found.direct_hits) == (12, 2, 0)
    assert read_statistics(files, tmp_path / "nowhere") is None


def test_the_cache_is_found_where_ccache_keeps_it(tmp_path: Path) -> None:
    """By its variable, in the user's home as older versions have it, or among the user's caches."""

    def directory(**variables: str) -> Path | None:
        return cache_directory(ProcessFacts(variables=variables, helpers={"ccache"}))

    home = str(tmp_path)
    assert directory(CCACHE_DIR="/var/cache/ccache", HOME=home) == Path("/var/cache/ccache")
    assert directory(HOME=home) == tmp_path / ".cache/ccache"
    assert directory(HOME=home, XDG_CACHE_HOME="/x") == Path("/x/ccache")
    (tmp_path / ".ccache").mkdir()
    assert directory(HOME=home, XDG_CACHE_HOME="/x") == tmp_path / ".ccache"
    assert directory() is directory(CCACHE_DIR="../here") is None
    assert cache_directory(ProcessFacts(variables={"HOME": home})) is None, "the build does not use it"
    inside = ProcessFacts(variables={"CCACHE_DIR": "/ccache"}, helpers={"ccache"}, root=tmp_path)
    assert cache_directory(inside) == tmp_path / "ccache"


def test_two_caches_are_counted_apart(tmp_path: Path, compile_with_ccache: Compile, values: Any) -> None:
    """Builds with caches of their own have series of their own; one without any has none."""
    compile_with_ccache(tmp_path / "one")
    compile_with_ccache(tmp_path / "one")
    compile_with_ccache(tmp_path / "two", text="int g(void){return 2;}")
    where = {"lfs": tmp_path / "one", "blfs": tmp_path / "two", "none": None, "gone": tmp_path / "gone"}
    helpers = {build: Helpers(None, path, None) for build, path in where.items()}
    shown = values(CcacheCollector(lambda: helpers))
    assert shown["build_ccache_hits_total", ("lfs", "direct")] == 1
    assert shown["build_ccache_misses_total", ("lfs",)] == 1
    assert shown["build_ccache_hits_total", ("blfs", "direct")] == 0
    assert shown["build_ccache_misses_total", ("blfs",)] == 1
    assert {labels[0] for _, labels in shown} == {"lfs", "blfs"}


def test_a_run_shows_what_ccache_knew_of_it(
    building: Any, process: Any, build_run: Any, tmp_path: Path, compile_with_ccache: Compile
) -> None:
    """The journal has the hits and misses of the run, without those before it, through restarts and to its end."""
    cache = tmp_path / "cache"
    compile_with_ccache(cache)
    variables = {"CC": "ccache gcc", "CCACHE_DIR": str(cache), "LFS_TGT": "x86_64-lfs-linux-gnu"}
    run = build_run(process(**variables).pid)

    def counts() -> tuple[int | None, int | None]:
        building.poll(400.0)
        found = building.run().toolchain
        return (None, None) if found is None else (found.ccache_hits, found.ccache_misses)

    end = time.monotonic() + 20
    while counts() != (0, 0):
        assert time.monotonic() < end
    compile_with_ccache(cache)
    compile_with_ccache(cache, text="int f(void){return 1;}")
    assert counts() == (1, 1)
    building.surveyor = building.new_surveyor()
    counts()
    compile_with_ccache(cache)
    assert counts() == (2, 1)
    subprocess.run(["ccache", "-z"], env={**os.environ, "CCACHE_DIR": str(cache)}, check=True, capture_output=True)
    assert counts() == (2, 1), "set to zero by a person: what was counted stays"
    compile_with_ccache(cache)
    run.add("build_finished", status="succeeded")
    assert counts() == (3, 1)
