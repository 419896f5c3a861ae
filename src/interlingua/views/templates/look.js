const keys = { s: data.source.map((_, i) => `s${i}`), t: data.target_out.map((_, i) => `t${i}`) };
const labelOf = (key) => (key[0] === "s" ? data.source : data.target_out)[key.slice(1)];

// Source and target joined by lines: across where the sentences fit, else upright.
const joined = byId("joined");
const [sourceRow, targetRow] = joined.querySelectorAll(".tokens");
const lines = joined.querySelector("svg");
let joinedWeights = null; // (target, source), set by the maps

function joinTokens() {
  joined.classList.toggle("lineless", !joinedWeights);
  joined.classList.remove("upright");
  const fits = [sourceRow, targetRow].every((row) => row.scrollWidth <= row.clientWidth + 1);
  joined.classList.toggle("upright", !fits);
  lines.replaceChildren();
  if (!joinedWeights) return;
  const frame = joined.getBoundingClientRect();
  const ends = (row, start) => [...row.children].map((token) => {
    const box = token.getBoundingClientRect();
    const [x, y] = [box.left - frame.left, box.top - frame.top];
    if (fits) return [x + box.width / 2, y + (start ? box.height : 0)];
    return [x + (start ? box.width : 0), y + box.height / 2];
  });
  const [from, to] = [ends(sourceRow, true), ends(targetRow, false)];
  joinedWeights.forEach((row, t) => row.forEach((weight, s) => {
    if (weight < 0.03) return;
    const [[x, y], [u, v]] = [from[s], to[t]];
    const bend = fits ? `${x} ${(y + v) / 2} ${u} ${(y + v) / 2}` : `${(x + u) / 2} ${y} ${(x + u) / 2} ${v}`;
    const path = draw("path", { d: `M${x} ${y}C${bend} ${u} ${v}`, "stroke-width": 0.75 + 3 * weight });
    Object.assign(path.dataset, { s: `s${s}`, t: `t${t}`, weight });
    lines.append(path);
  }));
  fadeLines(lit);
}

function fadeLines(key) {
  for (const path of lines.children) {
    const { s, t, weight } = path.dataset;
    path.style.opacity = !key || key === s || key === t ? 0.12 + 0.88 * weight : 0.04;
  }
}

whenLit.push(fadeLines);
whenRedrawn.push(joinTokens);
if (!data.attention.cross) joinTokens();
