// The words that a model wrote, and the tokens that each is written with: they light up together.
const keys = { t: data.target_out.map((_, i) => `t${i}`), w: data.words.map((_, i) => `w${i}`) };
const labelOf = (key) => (key[0] === "w" ? data.words[key.slice(1)].text : data.target_out[key.slice(1)]);

data.words.forEach(({ tokens }, i) => {
  kin.set(keys.w[i], tokens.map((token) => keys.t[token]));
  for (const token of tokens) kin.set(keys.t[token], [...(kin.get(keys.t[token]) ?? []), keys.w[i]]);
});

// Weights (layers, heads, tokens, ...) as those of words: the mean of each one's tokens.
const meanOf = (rows) => rows[0].map((_, j) => rows.reduce((sum, row) => sum + row[j], 0) / rows.length);
const byWord = (weights) =>
  weights.map((layer) => layer.map((head) => data.words.map(({ tokens }) => meanOf(tokens.map((t) => head[t])))));
