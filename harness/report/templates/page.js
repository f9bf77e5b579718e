"use strict";
/* Draws what comes into view, follows the colour scheme, and brings a square's curve to the reader. */
const Page = (() => {
  const root = document.documentElement;
  const pending = new Map(); // element -> how to draw it
  const drawn = new Map();
  const focus = new Map(); // figure id -> name of the trajectory to show

  function show(element) {
    const draw = pending.get(element) || drawn.get(element);
    if (!draw || !window.Plotly || element.closest("details:not([open]), [hidden]")) return; // a folded one is drawn when it unfolds
    draw();
    pending.delete(element);
    drawn.set(element, draw);
  }
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      show(entry.target);
    }
  }, { rootMargin: "400px" });
  function later(element, draw) {
    pending.set(element, draw);
    Loaded.then(() => watcher.observe(element));
  }

  for (const element of document.querySelectorAll("figure[data-figure]")) {
    const id = element.dataset.figure;
    later(element, () => Plots.draw(element, Plots.judged(DATA.figures[id], focus.get(id))));
  }

  function flows() {
    if (!DATA.flows.length) return;
    const rollout = document.getElementById("flow-rollout"), channel = document.getElementById("flow-channel");
    const growth = document.getElementById("flow-growth"), spectra = document.getElementById("flow-spectra");
    DATA.flows.forEach((flow, index) => rollout.add(new Option(`${flow.model} on ${flow.label}`, String(index))));
    const fill = (flow) => {
      const chosen = channel.value || "B_z";
      channel.replaceChildren(...flow.spectra.channels.map((name) => new Option(name)));
      if (flow.spectra.channels.includes(chosen)) channel.value = chosen;
    };
    const current = () => DATA.flows[Number(rollout.value)];
    const draw = {
      growth: () => { growth.parentElement.hidden = !current().growth; if (current().growth) Plots.draw(growth, RolloutPlots.growth(current())); },
      spectra: () => {
        const flow = current();
        spectra.parentElement.hidden = !flow.spectra;
        if (!flow.spectra) return;
        Plots.draw(spectra, RolloutPlots.spectra(flow, channel.value));
      },
    };
    rollout.addEventListener("input", () => { if (current().spectra) fill(current()); draw.growth(); draw.spectra(); });
    channel.addEventListener("input", draw.spectra);
    if (current().spectra) fill(current());
    document.getElementById("flows").hidden = false;
    later(growth, draw.growth);
    later(spectra, draw.spectra);
  }
  flows();

  function realisations() {
    if (DATA.distances.length) {
      const figure = document.getElementById("distance-plot");
      document.getElementById("distances").hidden = false;
      later(figure, () => Plots.draw(figure, RolloutPlots.distances(DATA.distances)));
    }
    if (!DATA.realisations.length) return;
    const window_ = document.getElementById("realisation-window"), channel = document.getElementById("realisation-channel");
    const figure = document.getElementById("realisation-plot");
    DATA.realisations.forEach((one, index) => window_.add(new Option(`${one.model} on ${one.label}`, String(index))));
    const current = () => DATA.realisations[Number(window_.value)];
    const fill = () => {
      const chosen = channel.value || "B_z";
      channel.replaceChildren(...current().channels.map((name) => new Option(name)));
      if (current().channels.includes(chosen)) channel.value = chosen;
    };
    const draw = () => Plots.draw(figure, RolloutPlots.realisations(current(), channel.value));
    window_.addEventListener("input", () => { fill(); draw(); });
    channel.addEventListener("input", draw);
    fill();
    document.getElementById("realisations").hidden = false;
    later(figure, draw);
  }
  realisations();

  function redraw(elements) {
    for (const element of Array.from(elements)) show(element);
    Planes.redraw();
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw(drawn.keys()));
  addEventListener("beforeprint", () => {
    root.classList.add("printing");
    redraw([...pending.keys(), ...drawn.keys()]);
  });
  addEventListener("afterprint", () => {
    root.classList.remove("printing");
    redraw(drawn.keys());
  });

  /* Called by a square of the matrix: its trajectory stands out in the plot and in the table. */
  function visit(id, index) {
    unfold(id);
    const body = document.getElementById("case-" + index), figure = DATA.figures[id];
    document.querySelectorAll("tbody.here").forEach((other) => other.classList.remove("here"));
    if (body) {
      body.classList.add("here");
      const [, model, window_] = Array.from(body.rows[0].cells, (cell) => cell.textContent);
      const line = figure && figure.lines.find((l) => DATA.models[l.model] === model && l.label === window_);
      focus.set(id, line && Plots.name(line));
      const element = document.querySelector(`figure[data-figure="${CSS.escape(id)}"]`);
      if (element) show(element);
    }
  }

  /* A link into a folded property unfolds it. */
  function unfold(id) {
    const target = id && document.getElementById(id), fold = target && target.closest("details.property");
    if (!fold || fold.open) return;
    fold.open = true;
    target.scrollIntoView();
  }
  addEventListener("hashchange", () => unfold(location.hash.slice(1)));
  unfold(location.hash.slice(1));
  const folds = Array.from(document.querySelectorAll("details.property")), all = document.getElementById("unfold");
  const relabel = () => { all.textContent = folds.every((fold) => fold.open) ? "Fold every property" : "Unfold every property"; };
  all.addEventListener("click", () => {
    const open = !folds.every((fold) => fold.open);
    folds.forEach((fold) => { fold.open = open; });
  });
  folds.forEach((fold) => fold.addEventListener("toggle", relabel));
  all.hidden = !folds.length;
  relabel();

  return { visit };
})();
