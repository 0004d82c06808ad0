"""Plans: a build's steps, their order, weights and needs. Reads files, writes nothing."""
