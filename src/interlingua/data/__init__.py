"""Files of pairs to batches of ids."""
