"""Consoles of builds by hand: configure, make, CMake, Meson, ninja and the kernel's Kbuild."""
