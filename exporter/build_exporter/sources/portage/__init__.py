"""Gentoo's Portage: what merges do by `emerge.log` (`log`), what they will do (`plan`) and what runs now (`status`)."""
