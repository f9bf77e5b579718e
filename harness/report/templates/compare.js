"use strict";
/* The page of a comparison: its matrices, the judged curves of all sides, and survival. */
(() => {
  const draws = new Map();
  for (const element of document.querySelectorAll("figure[data-figure]")) {
    draws.set(element, () => Plots.draw(element, Plots.judged(DATA.figures[element.dataset.figure])));
  }

  function survival() {
    const traces = DATA.survival.map((curve) => ({
      x: curve.x, y: curve.y, mode: "lines", name: plain(DATA.models[curve.model]), line: { shape: "hv", width: 3, color: Theme.model(curve.model) },
      hovertemplate: `${plain(DATA.models[curve.model])}, ${curve.n} windows<br>bounded after step %{x}: %{y:.0%}<extra></extra>`,
    }));
    const bare = Plots.judged({ kind: "points", unit: "share of windows still bounded", log: false, lines: [] }).layout;
    return { traces, layout: { ...bare, xaxis: { ...bare.xaxis, title: { text: "step" }, tickvals: undefined, ticktext: undefined, range: undefined }, yaxis: { ...bare.yaxis, range: [-0.02, 1.04], tickformat: ".0%" } } };
  }
  const figure = document.getElementById("survival");
  if (figure) draws.set(figure, () => Plots.draw(figure, survival()));

  for (const table of document.querySelectorAll("table.matrix")) {
    const readout = table.closest(".scroll").nextElementSibling;
    readout.hidden = false;
    Roving(table, readout);
  }

  Lazy(draws);
})();
