"use strict";
/* The verdict matrix: its filters, and the way from a square to its plot. */
const Matrix = (() => {
  const table = document.getElementById("matrix");
  const search = document.getElementById("filter-text");
  const outcomes = Array.from(document.querySelectorAll("button[data-outcome]"));
  const models = Array.from(document.querySelectorAll("button[data-model]"));
  const pressed = (button) => button.getAttribute("aria-pressed") === "true";

  /* A table column is shown while its model is on and its window, or the row, fits the text. */
  function apply() {
    const text = search.value.trim().toLowerCase();
    const wanted = new Set(outcomes.filter(pressed).map((b) => b.dataset.outcome));
    const off = new Set(models.filter((b) => !pressed(b)).map((b) => b.dataset.model));
    const heads = Array.from(table.querySelectorAll("thead tr:last-child th"));
    const fits = heads.map((th) => th.dataset.text.toLowerCase().includes(text));
    for (const element of table.querySelectorAll("[data-model]")) {
      element.hidden = off.has(element.dataset.model);
    }
    for (const row of table.tBodies[0].rows) {
      const named = row.dataset.text.toLowerCase().includes(text);
      let any = false;
      Array.from(row.cells).slice(1).forEach((td, column) => {
        const cell = td.firstElementChild;
        if (!cell) return;
        const match = (named || fits[column]) && (!wanted.size || wanted.has(cell.dataset.outcome));
        cell.classList.toggle("faded", !match);
        any = any || (match && !td.hidden);
      });
      row.hidden = !any;
    }
    for (const body of document.querySelectorAll(".cases tbody")) {
      body.hidden = wanted.size > 0 && !wanted.has(body.dataset.outcome);
    }
    const none = Array.from(table.tBodies[0].rows).every((row) => row.hidden);
    document.getElementById("no-hit").textContent = none ? "No verdict fits what is asked for; Show all takes every filter off." : "";
    rove();
  }

  const rove = Roving(table, document.getElementById("readout"));
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("a.cell");
    if (cell) Page.visit(cell.getAttribute("href").slice(1), Number(cell.dataset.case));
  });
  for (const button of [...outcomes, ...models]) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(!pressed(button)));
      apply();
    });
  }
  search.addEventListener("input", apply);
  document.getElementById("filter-reset").addEventListener("click", () => {
    search.value = "";
    outcomes.forEach((b) => b.setAttribute("aria-pressed", "false"));
    models.forEach((b) => b.setAttribute("aria-pressed", "true"));
    apply();
  });
  document.getElementById("filters").hidden = false;
  return { apply };
})();
