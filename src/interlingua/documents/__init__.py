"""What surrounds sentences: lines, markup, subtitles, and what must come through unchanged; without torch."""
