"""What jhalfs' settings say of a build."""

from __future__ import annotations

import pytest

from build_exporter.sources.jhalfs import names


@pytest.mark.parametrize(
    ("settings", "jobs", "target", "scope"),
    [
        ({}, None, None, None),
        ({"N_PARALLEL": "4", "INITSYS": "sysv", "TEST": "0"}, 4, "sysv", "none"),
        ({"N_PARALLEL": " 99999 ", "MULTILIB": "m32", "TEST": "1"}, 99999, "m32", "critical"),
        ({"N_PARALLEL": "100000", "INITSYS": "systemd", "MULTILIB": "default", "TEST": "2"}, None, "systemd", "all"),
        ({"N_PARALLEL": "-1", "INITSYS": "systemd", "COMMIT": "multilib-1", "TEST": " 3"}, None, "systemd-multilib",
         "all"),
        ({"N_PARALLEL": "", "INITSYS": "systemd", "COMMIT": "multilib", "MULTILIB": "ml_x32", "TEST": "4"}, None,
         "systemd-ml_x32", None),
    ],
)  # fmt: skip
def test_settings(settings: dict[str, str], jobs: int | None, target: str | None, scope: str | None) -> None:
    """Jobs of five digits at most, the init system with the multilib variant, which suites are run; else nothing."""
    found = names.jobs_of(settings), names.target_of(settings), names.tests_of(settings)
    assert found == (jobs, target, scope)


@pytest.mark.parametrize(
    ("book", "name"),
    [
        ("12.4", "lfs-12.4-m32"), ("12.4-systemd", "lfs-12.4-systemd-m32"), ("12.4-rc1", "lfs-12.4-m32"),
        ("r12.1-31", "lfs-trunk-m32"), ("r12.0-214-systemd", "lfs-trunk-systemd-m32"),
        ("My_Book/7", "lfs-My_Book-7-m32"), ("", "lfs-trunk-m32"),
    ],
)  # fmt: skip
def test_a_build_is_named_after_its_book(book: str, name: str) -> None:
    """All builds of a release, and of the development book, are one line each; without a book by the commit."""
    assert names.name_after(book, {"COMMIT": "r12.4-31", "MULTILIB": "m32"}) == name
