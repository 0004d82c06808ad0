"""Names of a build's parts, from the directories that its makes enter."""

from __future__ import annotations

import pytest

from build_exporter.sources.make.directories import Directories


@pytest.mark.parametrize(
    ("top", "entered", "names"),
    [
        ("/b/br", ["/b/br/output/build/m4-1.4.19/lib", "/b/br/output/build/acl-2.4.0"], ["m4-1.4.19", "acl-2.4.0"]),
        ("/b/br", ["/b/out/build/acl-2.4.0/po", "/b/br/package"], ["acl-2.4.0", "package"]),
        ("/b/br/output/build/acl-2.4.0", ["/b/br/output/build/acl-2.4.0/po"], ["po"]),
        ("/s/gcc/build", ["/s/gcc/build/x86_64-pc-linux-gnu/libgcc"], ["x86_64-pc-linux-gnu/libgcc"]),
        ("/tmp/out", ["/tmp/hn", "/usr/src/linux/mm"], ["hn", "linux/mm"]),
    ],
)  # fmt: skip
def test_parts_are_named(top: str, entered: list[str], names: list[str]) -> None:
    """A part is called by its path below the top, a package among others by its own directory."""
    directories = Directories()
    assert directories.name(top) == ""
    assert [directories.name(path) for path in entered] == names
