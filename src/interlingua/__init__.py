"""Train your own sequence-to-sequence model from a file of pairs, and use it."""
