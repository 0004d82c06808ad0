"""Ninja: runs by .ninja_log (`log`), and the edges there are to build by build.ninja (`plan`)."""
