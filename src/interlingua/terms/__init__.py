"""Glossaries: terms of a source that must come out in a given translation, as whole words.

What a term passes through, from its file to the output:

1. `reading` makes {source term: target term} of a file.
2. `glossary` finds the terms that occur in a source text.
3. `terminology` turns these into the `SentenceTerms` that the search is given.
4. `tokenization` tells it every sequence of target tokens that writes a term.
5. `placement` finds the word of the model's own translation that each is to replace, by cross-attention.
6. `automaton` keeps track of the terms that a hypothesis has written, and of the tokens that lead on.
7. `constraints` leaves no term out of a beam search: dynamic beam allocation (Post & Vilar 2018).
8. `glossary` checks which terms stand in the text that came out.

`inference.translator` brings them together.
"""
