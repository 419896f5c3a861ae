"""Optimisation, and the experiment around it."""
