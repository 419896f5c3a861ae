"""Which models are served, for which languages, with which glossaries."""
