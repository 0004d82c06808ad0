"""The live page: templates, the figures they draw, and the scripts and style that the browser loads.

The server renders every page whole, good without scripts. The scripts ask for the same page again when the stream says
that something happened, and change what differs; rows of steps come by themselves, only those that changed.
"""
