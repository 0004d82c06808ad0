"""Plans: which steps a build has, in which order, what they weigh and need. Files are read, nothing is written."""
