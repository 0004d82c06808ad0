"""Facts that emerge.log lacks and the machine shows: kinds of packages, fields, failures."""

from __future__ import annotations

from typing import Any, Protocol

from build_exporter.sources.portage.build_log import Failure
from build_exporter.sources.portage.session import Merge, Session


class HostFacts(Protocol):
    """What the machine shows of packages besides the log."""

    def kind_of(self, package: str) -> str:
        """Return `merge` or `binary`; empty when unknown."""
        ...

    def start_fields(self, session: Session, merge: Merge) -> dict[str, Any]:
        """Return fields for a package's start."""
        ...

    def end_fields(self, merge: Merge) -> dict[str, Any]:
        """Return fields for a package's end."""
        ...

    def failure(self, merge: Merge, until: float) -> Failure | None:
        """Return what is known of a package's failure, which was not after `until`; None where nothing."""
        ...

    def has_released(self, merge: Merge) -> bool:
        """Return whether the emerge itself had done with a package."""
        ...

    def failed_meanwhile(self, session: Session, merge: Merge) -> Failure | None:
        """Return why a package is known to have failed, though no line says so; None where it may continue."""
        ...
