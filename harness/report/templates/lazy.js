"use strict";
/* Draws plots as they come into view, again when the colour scheme changes, and all of them to print. */
const Lazy = (draws) => { // element -> how to draw it
  const root = document.documentElement;
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { watcher.unobserve(entry.target); draws.get(entry.target)(); }
  }, { rootMargin: "400px" });
  Loaded.then(() => { for (const element of draws.keys()) watcher.observe(element); });
  const redraw = (all) => { for (const [element, draw] of draws) if (all || element.dataset.drawn) draw(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw(false));
  addEventListener("beforeprint", () => { root.classList.add("printing"); redraw(true); });
  addEventListener("afterprint", () => { root.classList.remove("printing"); redraw(false); });
};
