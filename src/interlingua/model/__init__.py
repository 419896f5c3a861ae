"""The architectures, behind one protocol; reads alone."""
