"""Trained models as a service over HTTP; see run.py for how its parts work together."""
