"""Alertmanager: alerts sent to it at once, silences that acknowledge them, and what it reports."""
