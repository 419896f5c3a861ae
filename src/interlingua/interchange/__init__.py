"""Models in other programs' formats: one file a format."""
