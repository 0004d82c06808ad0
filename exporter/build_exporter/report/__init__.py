"""Reports of a run: one data form, and a renderer for each format."""
