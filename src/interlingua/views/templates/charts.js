// Line charts and charts of intervals, as SVG.
const HEIGHT = 210;
const MARGIN = { left: 46, right: 10, top: 8, bottom: 24 };

const round = (value) => Number(value.toPrecision(10));
const tell = (value) => {
  const size = Math.abs(value);
  if (size >= 10000) return value.toLocaleString("en", { maximumFractionDigits: 0 });
  if (size !== 0 && size < 0.0001) return value.toExponential(1);
  return String(Number(value.toPrecision(4)));
};
const brief = (value) => (Math.abs(value) >= 10000 ? `${round(value / 1000)}k` : tell(value));

// Round numbers that span the values.
function ticks(low, high, count) {
  const rough = (high - low || Math.abs(high) || 1) / count;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= rough);
  const first = Math.floor(low / step + 1e-9) * step;
  const last = Math.ceil(high / step - 1e-9) * step;
  return Array.from({ length: Math.max(1, Math.round((last - first) / step)) + 1 }, (_, i) => round(first + i * step));
}

// The frame of a chart: grid, numbers at both axes, and functions from values to places.
function frame(container, yTicks, xTicks, xSpan) {
  container.querySelector("svg")?.remove();
  const width = Math.max(240, container.clientWidth);
  const bottom = HEIGHT - MARGIN.bottom;
  const [low, high] = [yTicks[0], yTicks.at(-1)];
  const x = (value) => MARGIN.left + ((value - xSpan[0]) / (xSpan[1] - xSpan[0] || 1)) * (width - MARGIN.left - MARGIN.right);
  const y = (value) => bottom - ((value - low) / (high - low || 1)) * (bottom - MARGIN.top);
  const picture = draw("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img" });
  for (const value of yTicks) {
    picture.append(draw("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
      draw("text", { x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end" }, brief(value)));
  }
  for (const value of xTicks) {
    if (value > xSpan[1]) continue;
    const anchor = x(value) > width - 30 ? "end" : "middle";
    picture.append(draw("text", { x: x(value), y: HEIGHT - 6, "text-anchor": anchor }, brief(value)));
  }
  container.querySelector("h3").after(picture);
  return { picture, width, x, y };
}

// Lines: [{ points: [[x, y, best?]], run, name, dots }]. A few values far above all others run out of the chart: an
// arrow at its upper edge says so, with the highest value of the line.
function lineChart(container, lines, xName) {
  const all = lines.flatMap(({ points }) => points);
  if (!all.length) return;
  const values = all.map(([, value]) => value).sort((a, b) => a - b);
  const top = values[Math.floor(0.985 * (values.length - 1))];
  const high = values.at(-1) > 2.5 * top ? 1.5 * top : values.at(-1);
  const yTicks = ticks(Math.min(values[0], high > 0 && values[0] < 0.5 * high ? 0 : values[0]), high, 4);
  const span = [0, Math.max(...all.map(([place]) => place))];
  const { picture, width, x, y } = frame(container, yTicks, ticks(0, span[1], container.clientWidth < 500 ? 4 : 5), span);
  const capped = (value) => Math.max(y(Math.min(value, yTicks.at(-1))), MARGIN.top);
  for (const { points, run, dots } of lines) {
    const d = points.map(([place, value], i) => `${i ? "L" : "M"}${x(place).toFixed(1)} ${capped(value).toFixed(1)}`).join("");
    const stroke = `var(--run-${run % 6})`;
    picture.append(draw("path", { class: dots ? "valid" : "train", d, style: `stroke:${stroke}` }));
    if (dots) for (const [place, value, best] of points) {
      picture.append(draw("circle", { cx: x(place), cy: capped(value), r: best ? 4.5 : 2.5, "stroke-width": 2,
        style: best ? `fill:var(--panel);stroke:${stroke}` : `fill:${stroke}` }));
    }
  }
  const beyond = lines.map(({ points, run }) => ({
    run, highest: points.filter(([, value]) => value > yTicks.at(-1)).sort((a, b) => b[1] - a[1])[0],
  })).filter(({ highest }) => highest);
  beyond.forEach(({ run, highest }, i) => {
    const fill = `fill:var(--run-${run % 6})`;
    const right = x(highest[0]) > width / 2;
    const place = x(highest[0]) + (right ? -7 : 7);
    picture.append(
      draw("path", { class: "beyond", d: `M${x(highest[0])} ${MARGIN.top - 7}l4 7h-8z`, style: fill }),
      draw("text", { class: "beyond", x: place, y: MARGIN.top + 4 + 13 * i, "text-anchor": right ? "end" : "start", style: fill },
        `↑ ${tell(highest[1])}`));
  });
  readOff(container, picture, lines, width, x, xName, span);
}

// The values at the pointer, told under the chart.
function readOff(container, picture, lines, width, x, xName, span) {
  const told = container.querySelector("output");
  const guide = draw("line", { class: "guide", y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom, visibility: "hidden" });
  picture.append(guide);
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const share = (((event.clientX - box.left) / box.width) * width - MARGIN.left) / (width - MARGIN.left - MARGIN.right);
    const place = Math.max(span[0], Math.min(span[1], share * span[1]));
    const nearest = lines.filter(({ points }) => points.length).map(({ points, name }) => [
      name, points.reduce((best, point) => (Math.abs(point[0] - place) < Math.abs(best[0] - place) ? point : best)),
    ]);
    for (const end of ["x1", "x2"]) guide.setAttribute(end, x(place));
    guide.setAttribute("visibility", "visible");
    told.textContent = `${xName} ${tell(nearest[0][1][0])}: ${nearest.map(([name, point]) => `${name} ${tell(point[1])}`).join(" · ")}`;
  });
  picture.addEventListener("pointerleave", () => { guide.setAttribute("visibility", "hidden"); told.textContent = ""; });
}

// Classes from left to right, for each run a bar with its interval: [{ run, bins }].
function binChart(container, series) {
  const labels = series[0].bins.map(({ label }) => label);
  const highest = Math.max(...series.flatMap(({ bins }) => bins.map(({ high, score }) => Math.max(high, score))));
  const { picture, x, y } = frame(container, ticks(0, highest, 4), [], [0, labels.length]);
  const room = x(1) - x(0);
  const bar = Math.min(34, (0.7 * room) / series.length);
  picture.setAttribute("height", HEIGHT + 14);
  picture.setAttribute("viewBox", picture.getAttribute("viewBox").replace(/\d+$/, HEIGHT + 14));
  series.forEach(({ run, bins, name }, k) => bins.forEach(({ score, low, high, label, pairs }, i) => {
    const middle = x(i + 0.5) + (k - (series.length - 1) / 2) * bar;
    const style = `fill:var(--run-${run % 6})`;
    picture.append(
      draw("rect", { x: middle - bar * 0.42, width: bar * 0.84, y: y(score), height: Math.max(0, y(0) - y(score)), style, opacity: 0.8, rx: 2 },
        draw("title", {}, `${name}, ${label}: ${score} (${low} to ${high}), ${pairs} pairs`)),
      draw("path", { d: `M${middle} ${y(low)}V${y(high)}m-3 0h6M${middle - 3} ${y(low)}h6`, style: "stroke:var(--ink);opacity:.75" }));
  }));
  labels.forEach((label, i) => {
    const text = room < 64 ? label.replace(" times or more", "+").replace(" times", "").replace(" to ", "–") : label.replace(" times", "×");
    picture.append(draw("text", { x: x(i + 0.5), y: HEIGHT - 6, "text-anchor": "middle", style: "fill:var(--ink)" }, text),
      draw("text", { x: x(i + 0.5), y: HEIGHT + 9, "text-anchor": "middle" }, String(series[0].bins[i].pairs)));
  });
}
