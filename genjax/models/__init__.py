"""Models: one file a family, each its config, its stages, its checks and the questions that it answers."""
