"""Glossaries: terms that must come out, from their file to their place in the output."""
