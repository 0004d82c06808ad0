"""Buildroot: steps of packages by build-time.log (`log`), and what is to come by stamps and show-info (`plan`)."""
