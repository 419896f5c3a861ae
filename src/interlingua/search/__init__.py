"""Finding a good target sequence: greedy, beam and sampling, on any Seq2Seq's start and step."""
