"""Glossaries: terms of a source that must come out in a given translation, as whole words.

What a term passes through, from its file to the output:

1. `reading` makes {source term: target term} of a file.
2. `glossary` finds where the terms occur in a source text.
3. `encoding` turns these occurrences into the `SentenceTerms` (in `automaton`) that the search goes by.
4. `tokenization` tells it every sequence of target tokens that writes a term.
5. `placement` finds the word of the model's own translation that each is to replace, by cross-attention.
6. `automaton` keeps track of the terms that a hypothesis has written, and of the tokens that lead on.
7. `constraints` leaves no term out of a beam search: dynamic beam allocation (Post & Vilar 2018);
   `width` says how wide that is.
8. `glossary` checks which terms stand in the text that came out.

`inference.parts` brings them together; the search is given them as a constraint (`search.beam.Constraint`).
"""
