"""Single topics where their files are odd, change or refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from build_exporter.collectors.host.cpu import Cpu
from build_exporter.collectors.host.files import number_after
from build_exporter.collectors.host.frequency import Frequency
from build_exporter.collectors.host.memory import Memory
from build_exporter.collectors.host.pressure import Pressure
from build_exporter.collectors.host.sliding_window import WINDOW_SECONDS, Extremes, MonotonicCounter
from build_exporter.collectors.host.system import System
from build_exporter.collectors.host.temperature import Temperature
from build_exporter.collectors.runners import DirectRunner
from build_exporter.exposition import Family

SamplesOf = Callable[[Iterable[Family]], dict[str, float]]
Unprivileged = Callable[[], AbstractContextManager[None]]


def test_cpu_time_never_goes_back(machine: Path, samples_of: SamplesOf) -> None:
    """The kernel's iowait steps back at times; Prometheus must not take that for a restart."""
    cpu = Cpu(str(machine / "proc"))
    stat = machine / "proc/stat"
    seen = []
    for iowait in (505, 490, 506):
        stat.write_text(f"cpu  1001 202 303 40404 {iowait} 6 707 8 90 10\nctxt 1\n")
        seen.append(samples_of(cpu.collect())['build_host_cpu_seconds_total{mode="iowait"}'])
    assert seen == [5.05, 5.05, 5.06]


def test_a_cpu_peak_of_a_second_is_still_seen_when_prometheus_comes(machine: Path, samples_of: SamplesOf) -> None:
    """A second at full load is shown for the next minute, whatever follows it."""
    cpu = Cpu(str(machine / "proc"))
    stat = machine / "proc/stat"
    for user, idle in ((0, 0), (200, 0), (210, 190), (210, 390)):
        stat.write_text(f"cpu  {user} 0 0 {idle} 0 0 0 0 0 0\n")
        shown = samples_of(cpu.collect())
    assert shown["build_host_cpu_busy_peak_ratio"] == 1


def test_the_least_memory_of_the_last_minute_is_shown(machine: Path, samples_of: SamplesOf) -> None:
    """Memory that was short between two scrapes and is free again leaves its trace."""
    memory = Memory(str(machine / "proc"))
    meminfo = machine / "proc/meminfo"
    for available in (3000, 20, 2900):
        meminfo.write_text(f"MemTotal: 8000 kB\nMemAvailable: {available} kB\n")
        shown = samples_of(memory.collect())
    assert shown["build_host_memory_available_lowest_bytes"] == 20 * 1024
    assert shown["build_host_memory_available_bytes"] == 2900 * 1024


def test_extremes_are_forgotten_after_their_window() -> None:
    """A peak is shown for a minute and not for ever."""
    now = 0.0
    extremes = Extremes(lambda: now)
    extremes.add(9.0)
    now = WINDOW_SECONDS - 1
    extremes.add(5.0)
    assert (extremes.lowest, extremes.highest) == (5.0, 9.0)
    now = WINDOW_SECONDS
    extremes.add(6.0)
    assert (extremes.lowest, extremes.highest) == (5.0, 6.0)


def test_a_rising_value_is_held_while_its_source_steps_back() -> None:
    """A counter shows the largest value its source ever had."""
    rising = MonotonicCounter()
    assert [rising.follow(value) for value in (1.0, 3.0, 2.0, 4.0)] == [1.0, 3.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        (b"MemFree:  12 kB\n", b"MemFree:", 12), (b"SwapCached: 1 kB\nCached: 2 kB\n", b"Cached:", 2),
        (b"oom_kill_x 1\n", b"oom_kill ", None), (b"ctxt 5", b"ctxt ", 5), (b"ctxt", b"ctxt ", None),
        (b"ctxt words\n", b"ctxt ", None), (b"", b"ctxt ", None),
    ],
)  # fmt: skip
def test_a_number_is_found_by_the_whole_of_its_key(text: bytes, key: bytes, expected: int | None) -> None:
    """A key that ends like another, or has no number, gives no wrong figure."""
    assert number_after(text, key) == expected


@pytest.mark.parametrize("content", ["", "garbage\n", "cpu  1 2 x\n"])
def test_a_file_that_is_not_what_the_kernel_writes_fails_the_topic_alone(machine: Path, content: str) -> None:
    """Damage is shown as the collector's failure and never as a made-up figure."""
    (machine / "proc/stat").write_text(content)
    guarded = DirectRunner(Cpu(str(machine / "proc")))
    assert guarded.families() == []
    assert not guarded.success


def test_a_file_that_may_not_be_read_fails_the_topic(machine: Path, unprivileged: Unprivileged) -> None:
    """Figures that are there and refused are reported as a failure: the machine does not lack them."""
    (machine / "proc/pressure/io").chmod(0)
    direct = DirectRunner(Pressure(str(machine / "proc")))
    with unprivileged():
        assert direct.families() == []
    assert not direct.success


def test_pressure_switched_off_at_boot_is_no_failure(samples_of: SamplesOf) -> None:
    """With `psi=0`, or on an old kernel, nothing is shown and nothing fails."""
    direct = DirectRunner(Pressure("/nowhere"))
    assert samples_of(direct.families()) == {}
    assert direct.success


def test_thermal_zones_are_read_where_no_monitor_has_a_sensor(machine: Path, samples_of: SamplesOf) -> None:
    """Boards without hardware monitors still show their temperature."""
    for number in range(3):
        for path in (machine / f"sys/class/hwmon/hwmon{number}").glob("temp*"):
            path.unlink()
    shown = samples_of(Temperature(str(machine / "sys")).collect())
    assert shown == {'build_host_temperature_celsius{chip="acpitz",device="thermal_zone0",sensor="temp"}': 27.8}


def test_monitors_of_old_drivers_keep_their_sensors_below(machine: Path, samples_of: SamplesOf) -> None:
    """Drivers that put the sensors into the device's directory are read there."""
    device = machine / "sys/devices/pci0000:00/old.1"
    device.mkdir(parents=True)
    (device / "name").write_text("olddriver\n")
    (device / "temp1_input").write_text("33000\n")
    monitor = machine / "sys/class/hwmon/hwmon9"
    monitor.mkdir()
    (monitor / "device").symlink_to("../../../devices/pci0000:00/old.1")
    shown = samples_of(Temperature(str(machine / "sys")).collect())
    assert shown['build_host_temperature_celsius{chip="olddriver",device="old.1",sensor="temp1"}'] == 33


def test_two_monitors_of_one_device_and_name_make_no_series_twice(machine: Path, samples_of: SamplesOf) -> None:
    """Series that stand in a scrape twice would make Prometheus refuse them."""
    twin = machine / "sys/class/hwmon/hwmon8"
    twin.mkdir()
    (twin / "name").write_text("nvme\n")
    (twin / "device").symlink_to("../../../devices/pci0000:00/nvme/nvme0")
    (twin / "temp1_input").write_text("1000\n")
    (twin / "temp1_label").write_text("Composite\n")
    shown = samples_of(Temperature(str(machine / "sys")).collect())
    assert 'build_host_temperature_celsius{chip="nvme",device="nvme0",sensor="Composite"}' in shown


def test_sensors_that_vanish_or_refuse_cost_only_themselves(machine: Path, samples_of: SamplesOf) -> None:
    """A sensor unplugged while the others are read is left out."""
    first = machine / "sys/class/hwmon/hwmon0/temp1_input"
    first.unlink()
    first.mkdir()
    (machine / "sys/class/hwmon/hwmon1/temp1_input").unlink()
    (machine / "sys/class/hwmon/hwmon1/temp1_input").symlink_to("gone")
    shown = samples_of(Temperature(str(machine / "sys")).collect())
    sensors = {series.partition("sensor=")[2] for series in shown if "celsius{" in series}
    assert sensors == {'"Core 0"}', '"temp3"}', '"Core 0 (temp10)"}', '"Composite"}'}


def test_frequency_falls_back_to_what_cpuinfo_tells(machine: Path, samples_of: SamplesOf) -> None:
    """Virtual machines have no cpufreq and still show the frequency."""
    for path in machine.glob("sys/devices/system/cpu/cpu*/cpufreq/*"):
        path.unlink()
    shown = samples_of(Frequency(str(machine / "proc"), str(machine / "sys")).collect())
    assert shown == {
        'build_host_cpu_frequency_hertz{cpu="0"}': 1234500000,
        'build_host_cpu_frequency_hertz{cpu="1"}': 2345000000,
    }


def test_the_system_is_reported(samples_of: SamplesOf) -> None:
    """Boot time and kernel are shown once, and suspended time is never negative."""
    shown = samples_of(System().collect())
    assert shown["build_host_suspended_seconds_total"] >= 0
    assert sum(series.startswith("build_host_uname_info{sysname=") for series in shown) == 1
