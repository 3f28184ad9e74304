"""The `genjax` command."""
