"use strict";
/* Plots of the judged curves.  Each function returns Plotly's arguments. */
const DATA = JSON.parse(document.getElementById("data").textContent);

const Theme = {
  color: (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim(),
  model: (index) => Theme.color("--m" + (index % 6)),
};

/* Plotly reads markup and %{...} in text: names from files are shown as they are. */
const plain = (text) =>
  String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/%\{/g, "%\u200b{");
const figures = (value) => (value === null || value === undefined ? "not finite" : Number(value.toPrecision(3)).toString());

const Plots = (() => {
  const FEW = 8; // steps that are worth a mark each
  const CONFIG = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

  function axis(title, more) {
    return Object.assign({
      title: { text: title, standoff: 8 }, gridcolor: Theme.color("--grid"), linecolor: Theme.color("--rule"),
      zeroline: false, exponentformat: "e", ticks: "outside", ticklen: 4, tickcolor: Theme.color("--rule"), automargin: true,
    }, more);
  }
  function layout(more) {
    return Object.assign({
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: Theme.color("--ink") },
      margin: { l: 56, r: 14, t: 10, b: 44 }, hovermode: "closest",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: Theme.color("--soft"), activecolor: Theme.color("--ink") },
      hoverlabel: { bgcolor: Theme.color("--paper"), bordercolor: Theme.color("--rule"), font: { color: Theme.color("--ink") }, align: "left", namelength: -1 },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 11.5 } },
    }, more);
  }
  /* Plain numbers, since Plotly's powers of ten are of another size; in a few decades 2 and 5 as well. */
  function logAxis(values) {
    const positive = values.filter((value) => value > 0);
    const low = Math.min(...positive), high = Math.max(...positive);
    return { type: "log", tickformat: "~g", ...(high / low > 3e3 ? { nticks: 5 } : { dtick: "D2" }) };
  }
  const judgedAxis = (figure) => (figure.log
    ? logAxis(figure.lines.flatMap((line) => [line.figure, ...(line.y || []), ...[line.limit].flat()]))
    : { rangemode: "tozero" });

  /* What is not finite has no height: a triangle at the upper edge, on an axis of its own. */
  const EDGE = { overlaying: "y", range: [0, 1], visible: false, fixedrange: true };
  const atEdge = (x, color, text, more) => ({ x, y: x.map(() => 1), yaxis: "y2", mode: "markers", cliponaxis: false, showlegend: false, marker: { symbol: "triangle-up", size: 10, color }, text, hovertemplate: "%{text}<extra></extra>", ...more });
  const middle = (text) => ({ text, showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5, font: { size: 14, color: Theme.color("--soft") } });

  const limitAt = (line, index) => (Array.isArray(line.limit) ? line.limit[index] : line.limit);

  const worst = (lines) => lines.reduce((a, b) => ((b.margin ?? Infinity) > (a.margin ?? Infinity) ? b : a));

  function name(line) {
    return `${plain(DATA.models[line.model])} ${plain(line.label)}`;
  }
  function note(line) {
    const where = line.where ? " in " + plain(line.where) : "";
    const at = line.diverged !== null ? `the rollout is not finite from step ${line.diverged} on`
      : line.figure === null ? `the figure is not finite${line.step === null ? "" : " at step " + line.step} though the rollout is`
      : `worst ${figures(line.figure)}${line.step === null ? "" : " at step " + line.step}${where}`;
    return `<b>${name(line)}</b>, ${plain(line.outcome)}<br>${at}, ${figures(line.margin)} × limit`;
  }

  /* Where both ends of a band are finite; on a logarithmic axis a low end at zero lies below the picture,
     and a high end at zero parts the band. */
  function shading(band, steps, log, color, group) {
    const x = [], y = [];
    let part = [];
    const floor = Math.min(...[...band.low, ...band.high, ...band.median].filter((value) => value > 0));
    const close = () => {
      const back = part.slice().reverse();
      if (part.length) x.push(...part.map((p) => p[0]), ...back.map((p) => p[0]), null);
      if (part.length) y.push(...part.map((p) => p[2]), ...back.map((p) => p[1]), null);
      part = [];
    };
    for (let i = 0; i < steps.length && band.high[i] !== null && band.low[i] !== null; i++) {
      if (log && !(band.high[i] > 0)) close();
      else part.push([steps[i], log ? Math.max(band.low[i], floor) : band.low[i], band.high[i]]);
    }
    close();
    return { x, y, mode: "lines", fill: "toself", fillcolor: color + "24", line: { width: 0 }, legendgroup: group, showlegend: false, hoverinfo: "skip" };
  }

  function limits(figure, traces) {
    const curves = figure.lines.filter((line) => line.y);
    const steps = figure.x[curves[0].x];
    const rows = steps.map((_, index) => curves.map((line) => limitAt(line, index)).filter((v) => v !== null && v !== undefined));
    if (rows.some((row) => !row.length)) return;
    const low = rows.map((row) => Math.min(...row)), high = rows.map((row) => Math.max(...row));
    const line = { color: Theme.color("--ink"), width: 1.6, dash: "dash" };
    const spread = high.some((value, index) => value > low[index] * 1.001);
    traces.push({ x: steps, y: high, mode: "lines", line, name: spread ? "limit (highest and lowest)" : figure.log && !Math.max(...high) ? "limit 0, below the picture" : "limit", legendgroup: "limit", hovertemplate: "limit %{y:.3g}<extra></extra>" });
    if (spread) traces.push({ x: steps, y: low, mode: "lines", line: { ...line, width: 0.9 }, legendgroup: "limit", showlegend: false, hovertemplate: "lowest limit %{y:.3g}<extra></extra>" });
  }

  /* A baseline records no curve, but the worst figure and its step. */
  function worsts(lines, model, color, group, traces) {
    const gone = lines.filter((line) => line.figure === null);
    const legendgroup = group, name = `${plain(model)}, worst figures` + (gone.length ? `, ${gone.length} not finite` : "");
    if (lines.length) traces.push({ x: lines.map((line) => line.step), y: lines.map((line) => line.figure), mode: "markers", legendgroup, name, showlegend: true, marker: { size: 8, color }, text: lines.map(note), hovertemplate: "%{y:.3g}<br>%{text}<extra></extra>" });
    if (gone.length) traces.push(atEdge(gone.map((line) => line.step), color, gone.map(note), { legendgroup }));
  }

  function curves(figure, focus) {
    const traces = [], gone = (line) => line.y.every((value) => value === null);
    const since = (lines) => `not finite from step ${Math.min(...lines.map((line) => line.diverged ?? figure.x[line.x][0]))} on`;
    DATA.models.forEach((model, index) => {
      const lines = figure.lines.filter((line) => line.y && line.model === index);
      const color = Theme.model(index), group = "m" + index;
      worsts(figure.lines.filter((line) => !line.y && line.model === index && line.step !== null), model, color, group, traces);
      if (!lines.length) return;
      const top = worst(lines);
      // A figure that is measured at a few steps only is nothing in between.
      const mode = figure.x.some((steps) => steps.length <= FEW) ? "lines+markers" : "lines";
      for (const line of lines) {
        const steps = figure.x[line.x], loud = focus === name(line);
        traces.push({
          x: steps, y: line.y, mode, marker: { size: 4 }, legendgroup: group, showlegend: false, opacity: loud ? 1 : line === top ? 0.75 : 0.38,
          line: { color: loud ? Theme.color("--ink") : color, width: loud ? 2.4 : 1 }, hovertemplate: `step %{x}: %{y:.3g}<br>${note(line)}${line === top ? "<br>the model’s worst" : ""}<extra></extra>`,
        });
        const ends = steps.map((_, at) => at).filter((at) => line.y[at] !== null && line.y[at + 1] === null);
        if (ends.length) traces.push({ x: ends.map((at) => steps[at]), y: ends.map((at) => line.y[at]), mode: "markers", legendgroup: group, showlegend: false, marker: { symbol: line.diverged === null ? "circle-open" : "x-thin", size: line.diverged === null ? 7 : 9, color, line: { color, width: line.diverged === null ? 1 : 2 } }, hovertemplate: `${note(line)}<extra></extra>` });
      }
      for (const line of lines.filter((line) => line.y[0] === null)) traces.push(atEdge([figure.x[line.x][0]], color, [note(line)], { legendgroup: group }));
      for (const band of figure.bands.filter((b) => b.model === index)) {
        const steps = figure.x[band.x], about = `${plain(model)}, median; shaded: ${plain(band.label)}`;
        traces.unshift(shading(band, steps, figure.log, color, group));
        traces.push({ x: steps, y: band.median, mode, marker: { size: 7 }, legendgroup: group, name: `${plain(model)}, ${lines.every(gone) ? since(lines) : "median"}`, line: { color, width: 3.2 }, customdata: steps.map((_, i) => [figures(band.low[i]), figures(band.high[i])]), hovertemplate: `${about}<br>step %{x}: %{y:.3g}, from %{customdata[0]} to %{customdata[1]}<extra></extra>` });
      }
    });
    limits(figure, traces);
    const drawn = figure.lines.filter((line) => line.y);
    const annotations = drawn.every(gone) ? [middle(since(drawn))] : [];
    return { traces, layout: layout({ annotations, xaxis: axis("step"), yaxis: axis(figure.unit, judgedAxis(figure)), yaxis2: EDGE }) };
  }

  function points(figure, focus) {
    const traces = [];
    const labels = Array.from(new Set(figure.lines.map((line) => line.label)));
    const count = DATA.models.length, apart = 0.3 / Math.max(1, count - 1);
    const place = (line) => labels.indexOf(line.label) + (count > 1 ? line.model * apart - 0.15 : 0);
    DATA.models.forEach((model, index) => {
      const lines = figure.lines.filter((line) => line.model === index);
      if (!lines.length) return;
      const color = Theme.model(index), x = lines.map(place), gone = lines.filter((line) => line.figure === null), zero = figure.log ? lines.filter((line) => line.figure === 0).length : 0;
      const unseen = (gone.length ? `, ${gone.length} not finite` : "") + (zero ? `, ${zero} at 0, below the picture` : "");
      const rings = lines.filter((line) => line.baseline !== null && line.baseline !== undefined);
      if (rings.length) traces.push({ x: rings.map(place), y: rings.map((line) => line.baseline), mode: "markers", name: "baseline", showlegend: !traces.some((trace) => trace.name === "baseline"), legendgroup: "m" + index, marker: { symbol: "circle-open", size: 13, color, line: { width: 1 } }, hovertemplate: "baseline %{y:.3g}<extra></extra>" });
      traces.push({ x, y: lines.map((line) => line.figure), mode: "markers", name: plain(model) + unseen, legendgroup: "m" + index, marker: { size: lines.map((line) => (name(line) === focus ? 13 : 8)), color }, text: lines.map(note), hovertemplate: "%{y:.3g}<br>%{text}<extra></extra>" });
      if (gone.length) traces.push(atEdge(gone.map(place), color, gone.map(note), { legendgroup: "m" + index }));
    });
    const limit = { x: [], y: [] };
    for (const label of labels) {
      const limited = figure.lines.filter((line) => line.label === label && line.limit !== null);
      const values = new Set(limited.map((line) => line.limit));
      const bar = (middle, half, value) => { limit.x.push(middle - half, middle + half, null); limit.y.push(value, value, null); };
      // One limit spans the window; unlike ones stand over the model that each belongs to.
      if (values.size > 1 && count > 1) for (const line of limited) bar(place(line), 0.45 * apart, line.limit);
      else for (const value of values) bar(labels.indexOf(label), 0.4, value);
    }
    const hidden = figure.log && limit.y.length && !limit.y.some((value) => value > 0);
    traces.push({ ...limit, mode: "lines", name: hidden ? "limit 0, below the picture" : "limit", line: { color: Theme.color("--ink"), width: 1.6, dash: "dot" }, hovertemplate: "limit %{y:.3g}<extra></extra>" });
    const shown = labels.map((label) => plain(label.length > 16 ? label.slice(0, 15) + "…" : label));
    const x = axis("", { tickvals: labels.map((_, index) => index), ticktext: shown, showgrid: false, range: [-0.6, labels.length - 0.4] });
    const annotations = figure.lines.length && figure.lines.every((line) => line.figure === null) ? [middle("no figure is finite")] : [];
    return { traces, layout: layout({ annotations, xaxis: x, yaxis: axis(figure.unit, judgedAxis(figure)), yaxis2: EDGE }) };
  }

  function draw(element, made) {
    if (!window.Plotly) return; // not unpacked yet, or never
    if (document.documentElement.classList.contains("printing")) {
      // Plotly makes room for a legend only after the paper is drawn; a narrow plot has none to spare,
      // and the models' colours stand above it.
      const width = element.clientWidth, showlegend = width > 400, t = showlegend ? 42 : 10;
      Object.assign(made.layout, { width, height: element.clientHeight, showlegend, margin: { ...made.layout.margin, t } });
    }
    Plotly.react(element, made.traces, made.layout, CONFIG);
    element.dataset.drawn = "true";
  }
  const judged = (figure, focus) => (figure.kind === "curves" ? curves : points)(figure, focus);
  return { judged, draw, name, axis, layout };
})();
