"""Sound files to samples, and samples to frames that a model reads."""
