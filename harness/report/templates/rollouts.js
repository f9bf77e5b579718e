"use strict";
/* Plots of rollouts: growth, spectra, other precisions and draws.  Each returns Plotly's arguments. */
const RolloutPlots = (() => {
  const { axis, layout } = Plots;
  const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid", "dash"];

  function growth(flow) {
    const { channels, steps, rows } = flow.growth;
    const top = Math.max(0.3, ...rows.flat().filter((value) => value !== null).map(Math.abs));
    const scale = [[0, Theme.color("--k5")], [0.25, Theme.color("--k3")], [0.5, Theme.color("--paper")], [0.75, Theme.color("--b3")], [1, Theme.color("--b5")]];
    const traces = [{ type: "heatmap", x: steps, y: channels.map(plain), z: rows, zmin: -top, zmax: top, colorscale: scale, hovertemplate: "%{y}, step %{x}<br>variance ratio 10^%{z:.2f}<extra></extra>", colorbar: { thickness: 10, outlinewidth: 0, title: { text: "log<sub>10</sub>", side: "top" } } }];
    return { traces, layout: layout({ xaxis: axis("step", { showgrid: false }), yaxis: axis("", { autorange: "reversed", showgrid: false }) }) };
  }

  function spectra(flow, channel) {
    const { k, steps } = flow.spectra, traces = [];
    const at = flow.spectra.channels.indexOf(channel);
    const shades = ["--k5", "--k4", "--m4", "--b3", "--b4", "--b5"];
    steps.forEach((step, index) => {
      const color = Theme.color(shades[Math.round((index / Math.max(1, steps.length - 1)) * (shades.length - 1))]);
      const common = { x: k, mode: "lines", legendgroup: "s" + step };
      traces.push({ ...common, y: flow.spectra.truth[at][index], showlegend: false, line: { color, width: 1.1, dash: "dot" }, hovertemplate: `truth, step ${step}<br>k %{x}: %{y:.2e}<extra></extra>` });
      traces.push({ ...common, y: flow.spectra.prediction[at][index], name: "step " + step, line: { color, width: 2.2 }, hovertemplate: `prediction, step ${step}<br>k %{x}: %{y:.2e}<extra></extra>` });
    });
    return { traces, layout: layout({ xaxis: axis("k<sub>⊥</sub>  (solid: prediction, dotted: truth)", { type: "log", dtick: "D2", tickformat: "~g" }), yaxis: axis("E(k<sub>⊥</sub>)", { type: "log", tickformat: "~g", nticks: 5 }) }) };
  }

  function realisations(window_, channel) {
    const at = window_.channels.indexOf(channel), traces = [];
    window_.lines.forEach((line, index) => {
      const text = plain(line.name);
      traces.push({ x: window_.x, y: line.rows[at], mode: "lines", name: text, line: { color: Theme.model(index), width: index ? 2 : 4, dash: DASHES[index % DASHES.length] }, opacity: index ? 1 : 0.55, hovertemplate: `${text}<br>step %{x}: %{y:.4g}<extra></extra>` });
    });
    const y = { type: "log", tickformat: "~g", nticks: 8 };
    return { traces, layout: layout({ xaxis: axis("step"), yaxis: axis(`var ${plain(channel)}(t) / var ${plain(channel)}(0)`, y) }) };
  }

  function distances(curves) {
    const named = new Set();
    const traces = curves.map((curve) => {
      const model = DATA.models.indexOf(curve.model), first = !named.has(model);
      named.add(model);
      const text = `${plain(curve.model)} ${plain(curve.label)}`;
      return { x: curve.x, y: curve.y, mode: "lines", name: plain(curve.model), legendgroup: "m" + model, showlegend: first, opacity: 0.6, line: { color: Theme.model(model), width: 1.4 }, hovertemplate: `<b>${text}</b><br>step %{x}: %{y:.2e}<extra></extra>` };
    });
    return { traces, layout: layout({ xaxis: axis("step"), yaxis: axis("δ", { type: "log", tickformat: ".0e", dtick: 1 }) }) };
  }
  return { growth, spectra, realisations, distances };
})();
