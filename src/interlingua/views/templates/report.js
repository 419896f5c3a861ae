// The charts of a report, over steps or over minutes.
const runs = data.runs.map((run, index) => ({ ...run, index }));
const several = runs.length > 1;
const called = (run, what) => (several ? (what ? `${run.name} ${what}` : run.name) : what);

function curve(field, what) {
  return (over) => runs.map((run) => ({
    run: run.index, name: called(run, what), points: run.curve.map((point) => [point[over], point[field]]),
  }));
}

function validated(value, what) {
  return (over) => runs.map((run) => {
    const kept = run.validations.findLast((validation) => validation.best);
    const points = run.validations.filter((validation) => value(validation) != null)
      .map((validation) => [validation[over], value(validation), validation === kept]);
    return { run: run.index, name: called(run, what), dots: true, points };
  });
}

const loss = [curve("loss", "training"), validated((validation) => validation.loss, "validation")];
const metrics = [...new Set(runs.flatMap((run) => run.validations.flatMap(({ metrics }) => Object.keys(metrics))))];
const charts = [
  ["Loss", "nats a token", (over) => loss.flatMap((lines) => lines(over))],
  ...metrics.map((metric) => [metric, "validation, greedy search", validated(({ metrics }) => metrics[metric], metric)]),
  ["Learning rate", "", curve("learning_rate", "rate")],
  ["Speed", "target tokens a second", curve("tokens_per_s", "tokens/s")],
  ["Gradient norm", "before clipping", curve("gradient_norm", "norm")],
];

if (byId("charts")) {
  const drawn = charts.map(([title, unit, lines]) => {
    const heading = make("h3", {}, `${title} `, make("small", { textContent: unit }));
    const container = make("div", { className: "chart" }, heading, make("output"));
    byId("charts").append(container);
    return [container, lines];
  }).filter(([container, lines]) => {
    const some = lines("step").some(({ points }) => points.length);
    if (!some) container.remove();
    return some;
  });
  let over = "step";
  const drawAll = () => { for (const [container, lines] of drawn) lineChart(container, lines(over), over === "step" ? "step" : "minute"); };
  choice(byId("axis"), [["step", "over steps"], ["minutes", "over minutes"]], over, (axis) => { over = axis; drawAll(); });
  whenRedrawn.push(drawAll);
}

const raced = runs.filter(({ race }) => race.length);
const drawRaces = () => document.querySelectorAll("[data-race]").forEach((container) => {
  const lines = raced[container.dataset.race].race.map(({ name, points }, run) => ({ run, name, dots: true, points }));
  lineChart(container, lines, "second");
});
drawRaces();
whenRedrawn.push(drawRaces);

if (data.quality) {
  const drawBins = () => {
    for (const [id, field] of [["by-length", "by_length"], ["by-rarity", "by_rarity"]]) {
      const series = data.quality.runs.map((run, index) => ({ run: index, name: run.name, bins: run[field] }));
      if (series[0].bins.length) binChart(byId(id), series);
    }
  };
  drawBins();
  whenRedrawn.push(drawBins);
}
