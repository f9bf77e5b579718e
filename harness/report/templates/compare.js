"use strict";
/* Draws the plots of a comparison as they come into view, in the colours of the scheme. */
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

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { watcher.unobserve(entry.target); draws.get(entry.target)(); }
  }, { rootMargin: "400px" });
  for (const element of draws.keys()) watcher.observe(element);

  const redraw = (all) => { for (const [element, draw] of draws) if (all || element.dataset.drawn) draw(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw(false));
  addEventListener("beforeprint", () => { document.documentElement.classList.add("printing"); redraw(true); });
  addEventListener("afterprint", () => { document.documentElement.classList.remove("printing"); redraw(false); });
  document.documentElement.dataset.ready = "true";
})();
