"""Hooks: programs of the user, and handlers of plug-ins, that run on live events; never in the way of anything else."""
