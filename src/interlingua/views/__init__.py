"""Pages that show: what a model does with a text (look), how a training went (report)."""
