"""A training as users see it: an experiment, its directory, its journal."""
