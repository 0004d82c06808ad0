"""Inside a step: what its log says while it runs. How far it is, what its tests gave, and why it failed.

`watch` follows the logs and passes their lines on; each kind of meaning is a reader with a file of its own.
"""
