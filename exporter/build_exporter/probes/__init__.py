"""Probes of the services a build needs: `Prober` tries them, a module a kind knows how.

A module of a kind defines `probe(settings, attempt)`, which returns when the service answered and raises when it did
not. It is loaded with the first probe of its kind.
"""
