"""The command wrapper, `build-exporter run`: run a step or a build unchanged and record it.

Nothing is imported here, and little in the modules: what they load before the wrapped command starts is its delay.
"""
