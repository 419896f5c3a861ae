"""Formats of files of pairs, one a file."""
