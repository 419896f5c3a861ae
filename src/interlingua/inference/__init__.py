"""Using a trained model: texts in, translations out."""
