"""How good outputs are: scores, intervals, baselines, comparisons; from lists of strings, without a model."""
