"""Greedy, beam and sampling search on start and step alone."""
