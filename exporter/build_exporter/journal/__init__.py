"""The journal: a directory a line of builds, a file of JSON lines a run. Meaning of events lives elsewhere."""
