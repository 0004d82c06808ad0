"""Collectors of the machine: one topic a file, each with a row in `collectors.registry`.

What is sampled each second is read from /proc directly, which costs a tenth of asking psutil for it; psutil is asked
for what it keeps books on (disk and network counters that wrap around) and for the boot time. What a machine lacks,
sensors for one, is no error: its families are absent.

Classes that read files themselves take the directories to read under, so that any machine can be put before them.
"""
