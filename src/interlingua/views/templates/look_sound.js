// A sound over time: words, spectrogram, CTC's spikes and attention, one above the other. Times count from where the
// part begins; what is told to people counts from where the recording does.
const span = data.num_positions * data.position_s;
const across = (seconds) => `${(100 * seconds) / span}%`;
const tellTime = (seconds) => `${(data.start_s + seconds).toFixed(2)} s`;
const shownSymbol = (symbol) => (symbol === " " ? "␣" : symbol.length > 1 ? symbol.replace(/^▁/, "") : symbol);

// From when to when what a key names is, or null.
function spanOf(key) {
  if (!key || !data.times_by) return null;
  const number = Number(key.slice(1));
  if (key[0] === "w") return [data.words[number].start_s - data.start_s, data.words[number].end_s - data.start_s];
  if (!data.token_spans[number]) return null; // the end sign
  const [first, last] = data.token_spans[number];
  return [first * data.position_s, (last + 1) * data.position_s];
}

function drawSpectrogram() {
  const { levels, frame_s, centres_hz } = data.spectrogram;
  const frames = unpack(levels);
  const bands = centres_hz.map((_, band) => Float32Array.from(frames, (frame) => frame[centres_hz.length - 1 - band]));
  const canvas = make("canvas");
  canvas.style.width = across(frames.length * frame_s);
  byId("spectrogram").append(canvas);
  const repaint = () => paint(canvas, bands, (share) => share);
  repaint();
  whenRedrawn.push(repaint);
  for (const [hertz, label] of [[250, "250 Hz"], [1000, "1 kHz"], [2000, "2 kHz"], [4000, "4 kHz"], [7000, "7 kHz"]]) {
    const above = centres_hz.filter((centre) => centre > hertz).length;
    const text = make("span", { textContent: label });
    text.style.top = `${(100 * above) / centres_hz.length}%`;
    byId("hertz").append(text);
  }
}

function drawWords() {
  const buttons = data.words.map(({ text }, i) => {
    const [start, end] = spanOf(keys.w[i]);
    const next = i + 1 < keys.w.length ? spanOf(keys.w[i + 1])[0] : span;
    const button = make("button", { type: "button", textContent: text, title: text, tabIndex: -1 });
    button.dataset.key = keys.w[i];
    button.style.left = across(start);
    button.style.width = across(Math.max(next - start, data.position_s));
    button.style.setProperty("--sounds", `${(100 * (end - start)) / Math.max(next - start, data.position_s)}%`);
    return button;
  });
  byId("said").append(...buttons);
}

function drawSpikes() {
  const { symbols, probabilities, blanks } = data.ctc;
  const [top, bottom] = [20, 74]; // of the bars; symbols stand above them
  const picture = draw("svg", { role: "img", "aria-label": "CTC's most probable symbols over time" });
  picture.append(draw("line", { x1: 0, x2: "100%", y1: top, y2: top }));
  probabilities.forEach((probability, i) => {
    if (probability < 0.02) return;
    const height = probability * (bottom - top);
    const bar = draw("rect", { x: `${(100 * (i + 0.12)) / symbols.length}%`, width: `${76 / symbols.length}%`, y: bottom - height, height, rx: 1.5,
      opacity: probability > blanks[i] ? 1 : 0.4 });
    picture.append(bar);
    const follows = i > 0 && symbols[i] === symbols[i - 1] && probabilities[i - 1] > blanks[i - 1]; // the same one goes on
    if (probability <= blanks[i] || follows) return;
    picture.append(draw("text", { x: `${(100 * (i + 0.5)) / symbols.length}%`, y: bottom - height - 4 }, shownSymbol(symbols[i])));
  });
  byId("spikes").append(picture);
}

// Ticks at round times, as many as there is room for.
function drawAxes() {
  for (const axis of document.querySelectorAll(".axis")) {
    const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30].find((each) => (each / span) * axis.clientWidth >= 44) ?? 60;
    const count = Math.floor((data.start_s + span) / step) - Math.ceil(data.start_s / step - 1e-6) + 1;
    axis.replaceChildren(...Array.from({ length: count }, (_, i) => {
      const time = (Math.ceil(data.start_s / step - 1e-6) + i) * step;
      const tick = make("span", { textContent: time.toFixed(step < 0.1 ? 2 : step < 1 ? 1 : 0) });
      tick.style.left = across(time - data.start_s);
      return tick;
    }));
  }
}

function attentionKinds() {
  const weights = unpack(data.attention.roots, (root) => root * root);
  const { entropy } = data.attention;
  const first = firstOf(weights);
  const names = Array.from({ length: data.num_positions }, (_, i) => tellTime(i * data.position_s));
  const shadeOf = (rows) => {
    const most = rows.reduce((most, row) => row.reduce((one, other) => Math.max(one, other), most), 1e-6);
    return (weight) => Math.sqrt(weight / most);
  };
  const shared = { shadeOf, columns: { labels: null, names, keys: [] }, entropy, first, corner: "" };
  const words = { name: "by word", long: "Attention", rows: { labels: data.words.map(({ text }) => text), keys: keys.w }, weights: byWord(weights) };
  const tokens = { name: "by token", long: "Attention", rows: { labels: data.target_out, keys: keys.t }, weights };
  return { ...(data.words.length ? { words: { ...words, ...shared } } : {}), tokens: { ...tokens, ...shared } };
}

const KINDS = data.attention ? attentionKinds() : {};
drawSpectrogram();
if (byId("said")) drawWords();
if (data.ctc) drawSpikes();
if (data.attention) offerKinds();
const fits = span * 320 <= byId("sliding").clientWidth; // as it is
choice(byId("zoom"), [["0", "whole"], ["120", "closer"], ["320", "closest"]], "120", (pixels) => {
  byId("timeline").style.setProperty("--least-width", `${pixels * span}px`);
  drawAxes();
});
if (fits) byId("zoom").remove();
whenRedrawn.push(drawAxes);
whenLit.push((key) => {
  const [start, end] = spanOf(key) ?? [0, 0];
  const band = byId("band");
  band.classList.toggle("shown", end > start);
  Object.assign(band.style, { left: across(start), width: across(end - start) });
  if (end > start && !byId("time").matches(":hover")) show(band);
});

// Moves the times that are in sight until an element is among them.
function show(element) {
  const sliding = byId("sliding");
  const [box, frame, gutter] = [element.getBoundingClientRect(), sliding.getBoundingClientRect(), byId("over").offsetLeft];
  if (box.left < frame.left + gutter || box.right > frame.right) sliding.scrollLeft += box.left - frame.left - gutter - 24;
}

// The time under the pointer, and what CTC says there.
const secondsAt = (event) => {
  const box = byId("over").getBoundingClientRect();
  return Math.max(0, Math.min(span - 1e-6, ((event.clientX - box.left) / box.width) * span));
};
byId("timeline").addEventListener("pointermove", (event) => {
  const inside = event.target.closest(".lane, .cells");
  byId("guide").classList.toggle("shown", Boolean(inside));
  if (!inside) return;
  const seconds = secondsAt(event);
  byId("guide").style.left = across(seconds);
  if (inside.className !== "lane") return; // maps tell themselves
  const position = Math.floor(seconds / data.position_s);
  const percent = (share) => `${(100 * share).toFixed(1)}%`;
  byId("readout").textContent = tellTime(seconds) + (data.ctc
    ? `: “${shownSymbol(data.ctc.symbols[position])}” ${percent(data.ctc.probabilities[position])}, blank ${percent(data.ctc.blanks[position])}`
    : "");
});
byId("timeline").addEventListener("pointerleave", () => byId("guide").classList.remove("shown"));
