"""Running any `Algorithm`: the loop, its checkpoints, its run folder."""
