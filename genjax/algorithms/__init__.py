"""Learners: each file makes one kind of `Algorithm`."""
