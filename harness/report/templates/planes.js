"use strict";
/* Pictures of one plane: truth, prediction and error of each model at a chosen channel and step. */
const Planes = (() => {
  const pictures = DATA.pictures, box = document.getElementById("planes");
  if (!pictures.length) return { redraw() {} };
  const channel = document.getElementById("plane-channel"), slider = document.getElementById("plane-step");
  const own = document.getElementById("plane-own"), shownStep = document.getElementById("plane-step-value");
  const rows = document.getElementById("plane-rows");
  const steps = Array.from(new Set(pictures.flatMap((p) => p.steps))).sort((a, b) => a - b);
  const channels = Array.from(new Set(pictures.flatMap((p) => p.channels)));

  function decode(plane) {
    if (!plane) return null;
    const bytes = Uint8Array.from(atob(plane.levels), (c) => c.charCodeAt(0));
    const view = new DataView(bytes.buffer), values = new Float64Array(bytes.length / 2);
    const scale = (plane.high - plane.low) / 65535;
    for (let i = 0; i < values.length; i++) values[i] = plane.low + scale * view.getUint16(2 * i, true);
    return values;
  }
  const mix = (a, b, t) => a.map((v, i) => v + (b[i] - v) * t);
  /* Diverging about the middle of the range: teal, pale, vermilion; the same in light and dark. */
  const STOPS = [[18, 78, 92], [74, 152, 162], [243, 241, 234], [226, 126, 76], [128, 34, 10]];
  function tint(t) {
    const s = Math.min(0.9999, Math.max(0, t)) * 4, i = Math.floor(s);
    return mix(STOPS[i], STOPS[i + 1], s - i);
  }
  function paint(canvas, values, shape, low, high) {
    canvas.width = shape[1];
    canvas.height = shape[0];
    const context = canvas.getContext("2d"), image = context.createImageData(shape[1], shape[0]);
    for (let i = 0; i < values.length; i++) {
      const [r, g, b] = tint(high > low ? (values[i] - low) / (high - low) : 0.5);
      image.data.set([r, g, b, 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  }
  const rms = (values) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
  const range = (values) => values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  const round = (v) => Number(v.toPrecision(2)).toString().replace("-", "−");

  /* What the colours of one picture mean: their two ends. */
  function scale(low, high) {
    const bar = document.createElement("div");
    bar.className = "ramp";
    bar.style.setProperty("--ramp", STOPS.map((stop) => `rgb(${stop})`).join());
    bar.append(...[low, high].map((end) => Object.assign(document.createElement("span"), { textContent: round(end) })));
    return bar;
  }
  function figure(label, values, shape, low, high, caption) {
    const element = document.createElement("figure"), text = document.createElement("figcaption");
    const canvas = document.createElement("canvas");
    text.textContent = `${label}${caption}.`;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${text.textContent} Colours from ${round(low)} to ${round(high)}.`);
    if (values) paint(canvas, values, shape, low, high);
    else { canvas.width = shape[1]; canvas.height = shape[0]; }
    element.append(canvas, ...(values ? [scale(low, high)] : []), text);
    return element;
  }

  function row(picture) {
    const grid = document.createElement("div"), title = document.createElement("h4");
    grid.className = "planes";
    grid.style.setProperty("--model", `var(--m${DATA.models.indexOf(picture.model) % 6})`);
    title.textContent = `${picture.model} on ${picture.label}`;
    grid.append(title);
    const at = picture.channels.indexOf(channel.value), when = picture.steps.indexOf(steps[slider.value]);
    if (at < 0 || when < 0) {
      const text = document.createElement("p");
      text.className = "note";
      text.textContent = "No picture of this channel at this step: the rollout had ended, or the step was left out.";
      grid.append(text);
      return grid;
    }
    const truth = decode(picture.truth[at][when]), pred = decode(picture.prediction[at][when]);
    const [low, high] = truth ? range(truth) : [0, 1];
    grid.append(figure("Truth", truth, picture.shape, low, high, ""));
    if (!pred || !truth) {
      grid.append(figure("Prediction", null, picture.shape, 0, 1, ": not finite"));
      return grid;
    }
    const [bottom, top] = range(pred), span = own.checked ? [bottom, top] : [low, high];
    const beyond = bottom < low - 0.5 * (high - low) || top > high + 0.5 * (high - low);
    grid.append(figure("Prediction", pred, picture.shape, span[0], span[1], `: ${round(bottom)} to ${round(top)}${beyond && !own.checked ? ", beyond the truth’s colours" : ""}`));
    const error = pred.map((v, i) => v - truth[i]), worst = Math.max(...range(error).map(Math.abs));
    grid.append(figure("Error", error, picture.shape, -worst, worst, `: rms ${round(rms(error))}`));
    return grid;
  }
  function redraw() {
    shownStep.textContent = String(steps[slider.value]);
    slider.setAttribute("aria-valuetext", "step " + steps[slider.value]);
    rows.replaceChildren(...pictures.map(row));
  }

  channels.forEach((name) => channel.add(new Option(name)));
  if (channels.includes("B_z")) channel.value = "B_z";
  slider.max = String(steps.length - 1);
  slider.value = slider.max;
  [channel, slider, own].forEach((control) => control.addEventListener("input", redraw));
  box.hidden = false;
  redraw();
  return { redraw };
})();
