// From the tokens of a translation to its sentences and words.

// The sentences of a text with what stands between them: a list of strings and of {text, part}.
export function takeApart(text, parts) {
  const pieces = [];
  let at = 0;
  const starts = parts.map((part) => {
    const start = text.indexOf(part.text, at);
    if (start >= 0) at = start + part.text.length;
    return start;
  });
  at = 0;
  parts.forEach((part, i) => {
    let [start, own] = [starts[i], part.text];
    if (start < 0) { // the service has put something back into it: the rest of its line is what it is
      const next = starts.slice(i + 1).find((later) => later >= 0) ?? text.length;
      const [, space, line] = /^(\s*)([^\n]*)/.exec(text.slice(at, next));
      [start, own] = [at + space.length, line.trimEnd()];
    }
    pieces.push(text.slice(at, start), { text: own, part });
    at = start + own.length;
  });
  pieces.push(text.slice(at));
  return pieces.filter((piece) => piece !== "");
}

// Where each token stands in the text; those that cannot be found share the gap that they leave.
function places(text, tokens) {
  const found = [];
  let [at, lost, blank] = [0, 0, true];
  const settle = (end) => { for (; lost; lost--) found.push([at, end]); };
  for (const token of tokens) {
    const shown = token.replaceAll("\u2581", " ").trim();
    const start = shown ? text.indexOf(shown, at) : -1;
    if (start < 0 || start > at + 40) {
      lost++;
      blank &&= !shown;
      continue;
    }
    settle(blank ? start + 1 : start); // a space alone is the beginning of the word after it
    blank = true;
    at = start + shown.length;
    found.push([start, at]);
  }
  settle(text.length);
  return found;
}

// The words of a sentence and what lies between, each with its probability (of all its tokens) or null.
export function words(text, hypothesis, language) {
  const { tokens, log_probs: logProbs } = hypothesis;
  const known = text === (hypothesis.decoded ?? hypothesis.text) ? places(text, tokens) : []; // not if mended
  const segments = [...new Intl.Segmenter(language, { granularity: "word" }).segment(text)];
  return segments.map(({ segment, index }) => {
    const end = index + segment.length;
    const own = logProbs.filter((_, i) => known[i] && known[i][0] < end && index < known[i][1]);
    const blank = own.length === 0 || segment.trim() === "";
    return { text: segment, probability: blank ? null : Math.exp(own.reduce((sum, value) => sum + value, 0)) };
  });
}

// The words of a text and what lies between, each with the numbers of the tokens that it is made of.
export function tokensOfWords(text, tokens) {
  const known = places(text, tokens);
  return [...new Intl.Segmenter(undefined, { granularity: "word" }).segment(text)].map(({ segment, index }) => {
    const end = index + segment.length;
    const own = tokens.map((_, i) => i).filter((i) => known[i][0] < end && index < known[i][1]);
    return { text: segment, tokens: segment.trim() ? own : [] };
  });
}

export const percent = (share) => (share < 0.01 ? "under 1%" : `${Math.min(99, Math.round(100 * share))}%`);
