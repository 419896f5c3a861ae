// Where the words that were said of a picture looked.
const shared = { columns: patches, largeOf: drawLit, thumbOf: drawLitThumb };
const said = { labels: data.words.map(({ text }) => text), keys: keys.w, notes: data.words.map(({ confidence }) => percent(confidence)) };
const written = { labels: data.target_out, keys: keys.t, notes: data.predictions.map(({ probability }) => percent(probability)) };

function attentionKinds() {
  const weights = unpack(data.attention.roots, (root) => root * root);
  const brightness = (values, word, patch) => sharesOf(values[word])[patch];
  const both = { ...shared, long: "Attention", entropy: data.attention.entropy, first: firstOf(weights), brightness };
  const words = { ...both, name: "by word", rows: said, weights: byWord(weights) };
  return { ...(data.words.length ? { words } : {}), tokens: { ...both, name: "by token", rows: written, weights } };
}

const KINDS = data.attention ? attentionKinds() : {};
if (data.attention) offerKinds();
else drawGlimpses(null, { rows: said });
