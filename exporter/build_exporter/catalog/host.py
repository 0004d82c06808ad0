"""Families of the machine the build runs on, and of the process trees of its running steps."""

from __future__ import annotations

from typing import Final

from build_exporter.catalog.metric import Metric, counter, gauge

_CPU: Final = (
    counter(
        "build_host_cpu_seconds_total",
        "seconds",
        "mode",
        "Time the CPUs spent in each mode, summed over all CPUs. Guests are within user.",
    ),
    gauge("build_host_cpus", "", "", "Logical CPUs that are online."),
    gauge(
        "build_host_cpu_busy_peak_ratio",
        "ratio",
        "",
        "Largest share of CPU time that was neither idle nor waiting for I/O between two samples a second apart, "
        "within the last 60 seconds.",
    ),
    counter("build_host_context_switches_total", "", "", "Switches of a CPU from one task to another."),
    counter("build_host_forks_total", "", "", "Processes and threads created."),
    gauge("build_host_tasks_running", "", "", "Tasks that run or wait for a CPU."),
    gauge("build_host_tasks_blocked", "", "", "Tasks that wait for I/O and cannot be interrupted."),
    gauge("build_host_load1", "", "", "Tasks that run or are blocked, averaged over 1 minute."),
    gauge("build_host_load5", "", "", "Tasks that run or are blocked, averaged over 5 minutes."),
    gauge("build_host_load15", "", "", "Tasks that run or are blocked, averaged over 15 minutes."),
    gauge("build_host_cpu_frequency_hertz", "hertz", "cpu", "Clock frequency a logical CPU runs at."),
    gauge("build_host_cpu_maximum_frequency_hertz", "hertz", "cpu", "Highest clock frequency a logical CPU can reach."),
    counter("build_host_cpu_core_throttles_total", "", "package core", "Times a core was slowed down by its heat."),
    counter(
        "build_host_cpu_core_throttled_seconds_total",
        "seconds",
        "package core",
        "Time a core was slowed down by its heat.",
    ),
    counter(
        "build_host_cpu_package_throttles_total", "", "package", "Times a CPU package was slowed down by its heat."
    ),
    counter(
        "build_host_cpu_package_throttled_seconds_total",
        "seconds",
        "package",
        "Time a CPU package was slowed down by its heat.",
    ),
)

_MEMORY: Final = (
    gauge("build_host_memory_total_bytes", "bytes", "", "Memory the kernel can use."),
    gauge(
        "build_host_memory_available_bytes",
        "bytes",
        "",
        "Memory that programs can be given without swapping, as the kernel estimates it.",
    ),
    gauge(
        "build_host_memory_available_lowest_bytes",
        "bytes",
        "",
        "Least available memory of the samples of the last 60 seconds, taken each second.",
    ),
    gauge("build_host_memory_free_bytes", "bytes", "", "Memory that holds nothing at all."),
    gauge("build_host_memory_buffers_bytes", "bytes", "", "Memory that caches block devices."),
    gauge("build_host_memory_cached_bytes", "bytes", "", "Memory that caches files, what is in tmpfs included."),
    gauge("build_host_memory_shared_bytes", "bytes", "", "Memory shared between programs, and files in tmpfs."),
    gauge("build_host_memory_dirty_bytes", "bytes", "", "Memory that must still be written to storage."),
    gauge("build_host_memory_writeback_bytes", "bytes", "", "Memory that is being written to storage."),
    gauge("build_host_swap_total_bytes", "bytes", "", "Swap space; only where there is any."),
    gauge("build_host_swap_free_bytes", "bytes", "", "Swap space that is not in use; only where there is any."),
    counter("build_host_swap_in_bytes_total", "bytes", "", "Memory read back from swap."),
    counter("build_host_swap_out_bytes_total", "bytes", "", "Memory written out to swap."),
    counter("build_host_major_page_faults_total", "", "", "Page faults that had to wait for storage."),
    counter("build_host_oom_kills_total", "", "", "Processes the kernel killed because memory had run out."),
)

_PRESSURE: Final = (
    counter(
        "build_host_pressure_some_seconds_total",
        "seconds",
        "resource",
        "Time in which at least one task was stalled for the resource.",
    ),
    counter(
        "build_host_pressure_full_seconds_total",
        "seconds",
        "resource",
        "Time in which all tasks that had work were stalled for the resource at once.",
    ),
)

_MOUNT: Final = "mountpoint device fstype"

_STORAGE: Final = (
    gauge("build_host_filesystem_size_bytes", "bytes", _MOUNT, "Size of the file system."),
    gauge("build_host_filesystem_available_bytes", "bytes", _MOUNT, "Space users other than root can still use."),
    gauge("build_host_filesystem_free_bytes", "bytes", _MOUNT, "Space not in use, what is reserved for root included."),
    gauge("build_host_filesystem_files", "", _MOUNT, "Files (inodes) the file system can hold; only where limited."),
    gauge("build_host_filesystem_files_free", "", _MOUNT, "Files (inodes) that can still be made; only where limited."),
    gauge("build_host_filesystem_readonly", "", _MOUNT, "Whether the file system refuses to be written to."),
    gauge(
        "build_host_filesystem_error",
        "",
        _MOUNT,
        "Whether the file system could not be asked: it refused, or gave no answer for two seconds.",
    ),
    counter("build_host_disk_read_bytes_total", "bytes", "device", "Bytes read from the disk."),
    counter("build_host_disk_written_bytes_total", "bytes", "device", "Bytes written to the disk."),
    counter("build_host_disk_reads_total", "", "device", "Reads the disk completed."),
    counter("build_host_disk_writes_total", "", "device", "Writes the disk completed."),
    counter(
        "build_host_disk_read_seconds_total", "seconds", "device", "Time reads took, summed over concurrent reads."
    ),
    counter(
        "build_host_disk_write_seconds_total", "seconds", "device", "Time writes took, summed over concurrent writes."
    ),
    counter("build_host_disk_io_seconds_total", "seconds", "device", "Time in which the disk had anything to do."),
)

_NETWORK: Final = (
    counter("build_host_network_receive_bytes_total", "bytes", "interface", "Bytes received."),
    counter("build_host_network_transmit_bytes_total", "bytes", "interface", "Bytes sent."),
    counter("build_host_network_receive_errors_total", "", "interface", "Packets received damaged."),
    counter("build_host_network_transmit_errors_total", "", "interface", "Packets that could not be sent."),
    counter("build_host_network_receive_drops_total", "", "interface", "Packets received and dropped."),
    counter("build_host_network_transmit_drops_total", "", "interface", "Packets dropped before they were sent."),
)

_SENSOR: Final = "chip device sensor"

_MACHINE: Final = (
    gauge("build_host_temperature_celsius", "celsius", _SENSOR, "Temperature a sensor reads."),
    gauge(
        "build_host_temperature_critical_celsius", "celsius", _SENSOR, "Temperature the sensor's maker calls critical."
    ),
    gauge("build_host_boot_timestamp_seconds", "seconds", "", "When the machine was started, Unix time."),
    counter("build_host_suspended_seconds_total", "seconds", "", "Time the machine was suspended since its start."),
    gauge("build_host_uname_info", "", "sysname release version machine nodename", "What the kernel calls itself; 1."),
)

_PROCESS: Final = (
    counter(
        "build_process_cpu_seconds_total",
        "seconds",
        "build",
        "CPU time, user and system, of the running steps' process trees and of those before them that were watched.",
    ),
    gauge(
        "build_process_memory_bytes",
        "bytes",
        "build",
        "Resident memory of the running steps' process trees; what processes share counts for each.",
    ),
    gauge(
        "build_process_peak_memory_bytes",
        "bytes",
        "build",
        "Largest resident memory of the process trees in the samples, taken each second, or up to every five where one "
        "costs more than a millisecond, since a step was started while none that was watched ran on.",
    ),
    counter(
        "build_process_read_bytes_total",
        "bytes",
        "build",
        "Bytes the process trees had read from storage; only where the exporter may see it.",
    ),
    counter(
        "build_process_written_bytes_total",
        "bytes",
        "build",
        "Bytes the process trees had written to storage; only where the exporter may see it.",
    ),
    gauge("build_process_processes", "", "build", "Processes in the running steps' process trees."),
    counter(
        "build_process_cgroup_cpu_seconds_total",
        "seconds",
        "build",
        "CPU time of the running steps' control groups since they were first seen.",
    ),
    counter(
        "build_process_cgroup_throttled_seconds_total",
        "seconds",
        "build",
        "Time the running steps' control groups were held back by their CPU limit.",
    ),
    gauge(
        "build_process_cgroup_memory_bytes", "bytes", "build", "Memory charged to the running steps' control groups."
    ),
    gauge(
        "build_process_cgroup_peak_memory_bytes",
        "bytes",
        "build",
        "Most memory ever charged to one of the running steps' control groups.",
    ),
    counter(
        "build_process_cgroup_read_bytes_total",
        "bytes",
        "build",
        "Bytes the running steps' control groups read from storage.",
    ),
    counter(
        "build_process_cgroup_written_bytes_total",
        "bytes",
        "build",
        "Bytes the running steps' control groups wrote to storage.",
    ),
    counter(
        "build_process_cgroup_oom_kills_total",
        "",
        "build",
        "Processes killed because a control group of the running steps had run out of memory.",
    ),
)

HOST: Final[tuple[Metric, ...]] = (*_CPU, *_MEMORY, *_PRESSURE, *_STORAGE, *_NETWORK, *_MACHINE, *_PROCESS)
