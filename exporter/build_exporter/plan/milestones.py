"""The milestones of a build of Linux From Scratch, for every kind of plan."""

from __future__ import annotations

from collections.abc import Container, Iterator

from build_exporter.model.events import PlannedMilestone


def lfs_milestones(
    phases: Container[str], entering: tuple[str, str] | None, booting: str | None
) -> list[PlannedMilestone]:
    """Return the milestones that a build has, in their order.

    Args:
        phases: those of its steps, `chapter-5` and so on.
        entering: phase and name of the first step inside the chroot.
        booting: name of the last step that makes the system bootable.
    """
    return list(_milestones(phases, entering, booting))


def _milestones(
    phases: Container[str], entering: tuple[str, str] | None, booting: str | None
) -> Iterator[PlannedMilestone]:
    # since LFS 10 the chroot is entered with chapter 7; before, chapter 6 was the base system already
    recent = entering is not None and entering[0] == "chapter-7"
    if recent and "chapter-5" in phases and "chapter-6" in phases:
        yield PlannedMilestone(name="cross toolchain", phase="chapter-5")
    temporary, base = ("chapter-6", "chapter-8") if recent else ("chapter-5", "chapter-6")
    if temporary in phases:
        yield PlannedMilestone(name="temporary tools", phase=temporary)
    if entering is not None:
        yield PlannedMilestone(name="chroot entered", step=entering[1])
    if base in phases:
        yield PlannedMilestone(name="base system", phase=base)
    if booting is not None:
        yield PlannedMilestone(name="bootable", step=booting)
