"""Families about toolchains: machine, tools, compiler caches."""

from __future__ import annotations

from typing import Final

from build_exporter.catalog.metric import Metric, counter, gauge

TOOLCHAIN: Final[tuple[Metric, ...]] = (
    gauge(
        "build_platform_info",
        "",
        "triplet machine kernel libc distribution",
        "The machine the exporter runs on; empty what can't be found out. Always 1.",
    ),
    gauge(
        "build_toolchain_info",
        "",
        "build target role tool version",
        "Tools of the newest run: of the machine that builds (host), those that run on it and make code for another "
        "system (cross), those of the system being built (target), with the triplet they make code for. Always 1.",
    ),
    counter(
        "build_ccache_hits_total",
        "",
        "build mode",
        "Compilations that the build's ccache knew, by the sources alone (direct) or after the preprocessor, since its "
        "counters were set to zero. Only while the build runs.",
    ),
    counter("build_ccache_misses_total", "", "build", "Compilations that the build's ccache did not know."),
    counter("build_ccache_uncacheable_total", "", "build", "Calls of ccache that can't be cached, as for linking."),
    counter("build_ccache_errors_total", "", "build", "Calls of ccache that failed in ccache itself."),
    counter("build_ccache_cleanups_total", "", "build", "Times the build's ccache removed old results to make room."),
    gauge("build_ccache_files", "", "build", "Files in the build's ccache."),
    gauge("build_ccache_size_bytes", "bytes", "build", "Size of the build's ccache."),
    gauge("build_ccache_limit_bytes", "bytes", "build", "Size the build's ccache may have, where it is configured."),
    gauge(
        "build_distcc_jobs",
        "",
        "build host phase",
        "Jobs of the build's distcc, by the host they run on and what they do there; counted every 15 seconds.",
    ),
    counter(
        "build_host_distccd_jobs_total",
        "",
        "result",
        "Jobs that other machines gave to this one's distccd, by their result.",
    ),
    gauge("build_host_distccd_slots", "", "", "Jobs that this machine's distccd takes at a time."),
)
