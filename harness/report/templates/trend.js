"use strict";
/* One plot per criterion: every window thin, the median bold, the limit dashed, runs across. */
(() => {
  const runs = DATA.stops.map((_, index) => index);
  const draws = new Map();

  function figure(line) {
    const color = Theme.model(0), traces = [];
    const hover = (name) => `${name}<br>%{text}: %{y:.3g}<extra></extra>`;
    const text = DATA.stops.map(plain);
    line.each.forEach((values, index) => traces.push({ x: runs, y: values, text, mode: "lines", opacity: 0.35, line: { color, width: 1 }, showlegend: false, hovertemplate: hover(plain(line.windows[index])) }));
    traces.push({ x: runs, y: line.median, text, customdata: line.violated, mode: "lines+markers", name: "median", line: { color, width: 3 }, marker: { size: 7, color }, hovertemplate: `median of ${line.windows.length}, %{customdata} violated<br>%{text}: %{y:.3g}<extra></extra>` });
    traces.push({ x: [0, runs.length - 1], y: [line.limit, line.limit], mode: "lines", name: "limit", line: { color: Theme.color("--ink"), width: 1.6, dash: "dash" }, hovertemplate: "limit<extra></extra>" });
    const values = line.each.flat().filter((value) => value > 0);
    const log = line.limit > 0 && values.length > 0;
    const wide = Math.max(1, ...values) / Math.min(1, ...values) > 3e3;
    const ticks = { tickformat: "~g", ...(wide ? { nticks: 5 } : { dtick: "D2" }) };
    const bare = Plots.judged({ kind: "points", unit: line.title, log: false, lines: [] }).layout;
    const short = (label) => plain(label.length > 18 ? "…" + label.slice(-17) : label);
    // As many labels as fit side by side, the first and the last among them.
    const fit = Math.max(2, Math.floor(46 / Math.max(...DATA.stops.map((label) => Math.min(18, label.length)), 4)));
    const every = Math.max(1, Math.ceil((runs.length - 1) / (fit - 1)));
    const shown = runs.filter((run) => run === runs.length - 1 || (run % every === 0 && run + every / 2 < runs.length - 1));
    return { traces, layout: { ...bare,
      xaxis: { ...bare.xaxis, tickvals: shown, ticktext: shown.map((run) => short(DATA.stops[run])), tickangle: 0, ticklabeloverflow: "allow", range: [-0.3, runs.length - 0.7] },
      yaxis: { ...bare.yaxis, ...(log ? { type: "log", ...ticks } : { rangemode: "tozero" }) } } };
  }
  for (const element of document.querySelectorAll("figure[data-line]")) {
    draws.set(element, () => Plots.draw(element, figure(DATA.lines[Number(element.dataset.line)])));
  }
  Lazy(draws);
})();
