// The maps of a text and its translation: attention, position code, mask.
const tokens = {
  source: { labels: data.source, keys: keys.s },
  written: { labels: data.target_out, keys: keys.t },
  read: { labels: data.target_in, keys: [null, ...keys.t.slice(0, -1)] }, // token t is read one place later
};
const ALL_KINDS = {
  cross: { name: "Cross", long: "Cross-attention", rows: tokens.written, columns: tokens.source },
  encoder: { name: "Encoder", long: "Encoder self-attention", rows: tokens.source, columns: tokens.source },
  decoder: { name: "Decoder", long: "Decoder self-attention", rows: tokens.written, columns: tokens.read },
};
const KINDS = Object.fromEntries(Object.entries(ALL_KINDS).filter(([kind]) => data.attention[kind]).map(([kind, names]) => {
  const [layers, heads] = [data.attention[kind].weights.length, data.attention[kind].weights[0].length];
  const first = kind === "cross" ? { layer: Math.max(0, layers - 2), head: heads > 1 ? null : 0 } : { layer: 0, head: 0 };
  return [kind, { ...names, ...data.attention[kind], first }];
}));

whenChosen.push(({ kind }) => {
  if (kind === "cross") {
    joinedWeights = chosenWeights;
    byId("joined-of").textContent = nameOf(chosen).toLowerCase();
    joinTokens();
  }
  followQuery(lit);
});
let queryRow = 0;

function followQuery(key) {
  const row = KINDS[chosen.kind].rows.keys.indexOf(key);
  if (row >= 0) queryRow = row;
  showQuery();
}

// One row of the chosen map, as the equation reads.
function showQuery() {
  const { rows, columns } = KINDS[chosen.kind];
  const row = Math.min(queryRow, chosenWeights.length - 1);
  const most = Math.max(...chosenWeights[row]);
  const single = chosen.head !== null;
  const asked = chosen.kind === "encoder" ? "The query of " : "The query that chose ";
  const ending = single
    ? ` shares out its weight of 1; beside each weight, how far its score${data.head_dim ? " q·k/√d" : ""} lies behind the best:`
    : " shares out its weight of 1, in the mean of the heads:";
  byId("query-of").replaceChildren(asked, tokenButton(rows.keys[row]), ending);
  byId("weights").replaceChildren(...chosenWeights[row].map((weight, j) => {
    const masked = chosen.kind === "decoder" && data.mask && !data.mask[row][j];
    const key = columns.keys[j];
    const name = key ? tokenButton(key, columns.labels[j]) : write(make("span", { className: "token target" }), columns.labels[j]);
    const bar = make("i");
    bar.style.width = `${100 * weight}%`;
    const behind = weight < 0.0005 ? `< −${Math.log(most / 0.0005).toFixed(1)}` : weight === most ? "best" : `−${Math.abs(Math.log(weight / most)).toFixed(1)}`;
    return make("div", { className: "weight" }, name, make("div", { className: "share" }, bar),
      make("span", { textContent: masked ? "masked" : weight.toFixed(3) }),
      make("span", { className: "score", textContent: masked ? "−∞" : single ? behind : "" }));
  }));
  if (lit) for (const element of byId("query").querySelectorAll(`[data-key=${lit}]`)) element.classList.add("lit");
}

if (Object.keys(KINDS).length) {
  offerKinds();
  whenLit.push(followQuery);
}
if (data.mask) fixedMap("mask", data.mask, tokens.written, tokens.read, { shade: (value) => 0.6 * value });
if (data.position_code) {
  const { kind, values } = data.position_code;
  const places = values.map((_, i) => String(i));
  const rows = { labels: places, keys: places.map(() => null) };
  const learned = kind === "learned";
  // The sines of all frequencies, then the cosines; in the code itself they take turns.
  const parted = (row) => [0, 1].flatMap((odd) => row.filter((_, i) => i % 2 === odd));
  const largest = learned ? Math.max(1e-6, ...values.flat().map(Math.abs)) : 1;
  fixedMap("code", learned ? values : values.map(parted), rows, { labels: null, keys: [] },
    { least: "0px", shade: (value) => value / largest });
  // A source token and the target token read at the same place have the same code.
  const frame = byId("code").querySelector(".cells");
  const bars = lightBars(frame, places.map((_, i) => i), []);
  whenLit.push((key) => bars(key && Number(key.slice(1)) + (key[0] === "t" ? 1 : 0)));
}
