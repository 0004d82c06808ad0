"""What a wrapped step's end reports of the machine's pressure."""

from __future__ import annotations

from pathlib import Path

from build_exporter.wrapper.pressure import machine_waits, waits_since


def write(proc: Path, **totals: int) -> None:
    """Write the kernel's pressure files with these totals, microseconds."""
    (proc / "pressure").mkdir(exist_ok=True)
    for resource, total in totals.items():
        text = f"some avg10=0.00 avg60=0.00 avg300=0.00 total={total}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"
        (proc / "pressure" / resource).write_text(text)


def test_the_waits_of_a_step_are_what_was_added_meanwhile(tmp_path: Path) -> None:
    """The difference of the kernel's totals at start and end, in seconds."""
    write(tmp_path, cpu=1_000_000, memory=0, io=5_000_000)
    before = machine_waits(str(tmp_path))
    write(tmp_path, cpu=3_500_000, memory=0, io=5_000_400)
    assert waits_since(before, str(tmp_path)) == {
        "cpu_wait_seconds": 2.5,
        "memory_wait_seconds": 0.0,
        "io_wait_seconds": 0.0,
    }


def test_a_kernel_without_pressure_figures_reports_nothing(tmp_path: Path) -> None:
    """No files, or files of another form, add no field to a step's end."""
    assert machine_waits(str(tmp_path)) == {}
    write(tmp_path, cpu=1, memory=1)
    (tmp_path / "pressure" / "io").write_text("nonsense")
    assert waits_since(machine_waits(str(tmp_path)), str(tmp_path)) == {}
