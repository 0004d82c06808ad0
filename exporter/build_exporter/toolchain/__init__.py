"""Toolchains of builds: triplets, versions of compilers and libraries, -j, and compiler caches.

Everything is read from files and from the process table. No program of a build tree is ever started: an exporter that
runs as root must not run what somebody else put there.
"""
