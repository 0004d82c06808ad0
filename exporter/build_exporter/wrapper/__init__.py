"""The command wrapper, `build-exporter run`: a step or a whole build passed through unchanged and recorded.

Nothing is imported here, and little in the modules: what they load before the wrapped command starts is its delay.
"""
