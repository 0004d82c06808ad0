"""Every kind of record is known for what it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from build_exporter.sources.registry import BUILT_IN, recognise

if TYPE_CHECKING:
    from tests.sources.conformance.conftest import Place
    from tests.sources.conftest import Record


def test_auto(record: Record, put: Callable[..., Place]) -> None:
    """`auto` knows a record by its directory and by its file, and no other kind takes it for its own."""
    place = put(record)
    place.write()
    watched = place.path / record.watch
    paths = {watched, watched.absolute(), place.path / record.file}
    for path in paths:
        kind = recognise(path)
        assert kind is not None, path
        assert kind.name == record.kind, path
        others = {each.name for each in BUILT_IN if each.recognises(path)} - {record.kind}
        # a log of steps may hold all that make says besides
        assert others <= ({"make"} if record.kind == "log" else set()), path


def test_auto_is_not_fooled(tmp_path: Path) -> None:
    """An empty directory, what is no file, and files of anything else are no records."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "source.c").write_text("int main(void) { return 0; }\n/* it STARTED with nothing */\n")
    (tmp_path / "Makefile").write_text("all:\n\tcc -o x x.c\n")
    (tmp_path / "random").write_bytes(bytes(range(256)) * 500)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "nothing").touch()
    for path in (tmp_path, *tmp_path.iterdir(), tmp_path / "missing", Path("/dev/null")):
        found = recognise(path)
        assert found is None, (path, found)
