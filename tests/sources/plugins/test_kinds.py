"""Kinds of packages stand beside the built-in ones: by name, by `auto`, in the configuration with their options."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from build_exporter import plugin
from build_exporter.sources.protocol import API_VERSION

if TYPE_CHECKING:
    from tests.sources.plugins.conftest import Site

CHOOSY = '''
from typing import Annotated

class Choosy(Good):
    class Options(Section, frozen=True):
        """What it needs."""
        letter: Annotated[str, about("The only letter.", "name")]
        most: Annotated[int, about("Most words.", "count", within=(1, 9))] = 5

    def __init__(self, settings):
        super().__init__(settings)
        self.options = settings.options

    def poll(self, now, *, over=False):
        target = str(sorted(self.options.items()))
        yield SourceEvent(1.78e9, events.BuildStarted(time=1.78e9, build=self.build, target=target))
'''


@pytest.fixture
def check(command: Callable[..., Any], site: Site, tmp_path: Path) -> Callable[[str], Any]:
    """Return how `config check` ends for a file."""

    def check_text(text: str) -> Any:
        (tmp_path / "config.yml").write_text(text)
        return command("config", "check", "config.yml", cwd=tmp_path, env=site.environment)

    return check_text


def test_options_of_a_plugin_are_checked_by_line(site: Site, check: Callable[[str], Any]) -> None:
    """Its options stand in the configuration as those of built-in kinds do: typed, bounded, the nearest named."""
    site.install("choosy-plugin", CHOOSY, choosy="Choosy")
    done = check("sources:\n  - {kind: choosy, path: x, options: {letter: a, most: 3}}\n")
    assert (done.returncode, done.stderr) == (0, "")
    done = check(
        "sources:\n  - {kind: choosy, path: x, options: {letter: a, most: 10, leter: b}}\n  - {kind: choosy, path: y}\n"
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "config.yml:2:56: sources[0].options.most is '10'; allowed: a whole number, 1 to 9",
        "config.yml:2:60: unknown key 'leter' in sources[0].options; did you mean 'letter'? allowed: letter, most",
        "config.yml:3:5: sources[1] needs 'options'; allowed: a mapping of letter, most",
    ]


def test_an_unknown_kind_is_reported_with_those_of_plugins(check: Callable[[str], Any]) -> None:
    """The error names what there is, packages' kinds among them, and the nearest."""
    done = check("sources:\n  - {kind: god, path: x}\n")
    assert done.returncode == 2
    assert "config.yml:2:12: sources[0].kind is 'god'; did you mean 'good'? allowed: auto, bitbake," in done.stderr


def test_a_plugin_that_cannot_be_loaded_is_found_by_check(site: Site, check: Callable[[str], Any]) -> None:
    """Before the night begins `config check` says that a kind can't be used, and of which package it is."""
    site.install("bad-plugin", "1 / 0", bad="Bad")
    done = check("sources:\n  - {kind: good, path: x}\n  - {kind: bad, path: x, options: {a: b}}\n")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "config.yml: sources[1]: kind bad can't be used: by bad-plugin 1.5: ZeroDivisionError"
    )
    assert done.stderr.count("\n") == 1


def test_options_reach_the_plugin(command: Callable[..., Any], site: Site, journal: Path, tmp_path: Path) -> None:
    """It is reported each option it has, given or by default, in its type; one it needs and lacks is reported."""
    site.install("choosy-plugin", CHOOSY, choosy="Choosy")
    arguments = ("import", "choosy", str(tmp_path), "--journal", str(journal))
    done = command(*arguments, env=site.environment)
    assert done.returncode == 2
    assert "options needs 'letter'; allowed: a name" in done.stderr
    done = command(*arguments, "--option", "letter=x=y", env=site.environment)
    assert (done.returncode, done.stderr) == (0, "")
    (run,) = (journal / "good-build").iterdir()
    assert "[('letter', 'x=y'), ('most', 5)]" in run.read_text()


def test_auto_asks_plugins_between_kinds_of_one_tool_and_of_many(
    command: Callable[..., Any], site: Site, journal: Path, tmp_path: Path
) -> None:
    """Built-in kinds win over packages, packages over the kind log; a package that fails to recognise is logged."""
    site.install("torn-plugin", "class Torn(Good):\n    def recognises(path): return path / 0", torn="Torn")
    site.install("greedy-plugin", "class Greedy(Good):\n    def recognises(path): return True", zgreedy="Greedy")
    record = tmp_path / ".ninja_log"
    record.write_text("# ninja log v5\n1\t2000\t1780000000000000000\ta.o\tabc\n")
    done = command("import", "auto", str(record), "--journal", str(journal), "--build", "mine", env=site.environment)
    assert done.returncode == 0
    assert '"source":"ninja"' in next((journal / "mine").iterdir()).read_text()
    record = tmp_path / "build.log"
    record.write_text("STARTED")
    done = command("import", "auto", str(record), "--journal", str(journal), env=site.environment)
    assert done.stdout == f"good-build: 2 new events from {record}\n"
    assert done.stderr.count("torn-plugin 1.5: TypeError: ") == 1


def test_names_that_are_taken_stay(command: Callable[..., Any], site: Site, journal: Path, tmp_path: Path) -> None:
    """No package replaces a built-in kind or another's, and whoever asks is reported why one is not there."""
    site.install("log-plugin", "", log="Good", auto="Good")
    site.install("odd-plugin", "", **{"Ünknown kind": "Good"})
    site.install("other-plugin", "", good="Good")
    record = tmp_path / "build.log"
    record.write_text("STARTED gcc\n")
    done = command("import", "log", str(record), "--journal", str(journal), env=site.environment)
    assert done.returncode == 0
    assert '"source":"log"' in next((journal / "build").iterdir()).read_text()
    served = command("serve", "--watch", "nosuch=/x", env=site.environment)
    lines = [line for line in served.stderr.splitlines() if "plug-in not taken" in line]
    reasons = [json.loads(line.partition(" reason=")[2]) for line in lines]
    assert sorted(reason[:32] for reason in reasons) == [
        "a kind's name is of a-z, 0-9, _ ",
        "another package has a kind of th",
        *["the name is a built-in kind's"] * 2,
    ]
    assert sum('package="log-plugin 1.5"' in line for line in lines) == 2


def test_what_plugins_rely_on_is_there() -> None:
    """Version 1 of the interface has these names; one that goes is a new version."""
    assert API_VERSION == 1
    promised = {
        "API_VERSION", "Attempt", "Directory", "Limits", "Lines", "Metric", "Section", "Settings", "Source",
        "SourceError", "TailFile", "Emitter", "SourceEvent", "about", "birth_time", "build_name_from", "counter",
        "events", "first_error", "gauge", "leading_date", "read_ends",
    }  # fmt: skip
    assert promised <= set(plugin.__all__)
    assert all(hasattr(plugin, name) for name in plugin.__all__)
