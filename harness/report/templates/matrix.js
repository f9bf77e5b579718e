"use strict";
/* The verdict matrix: filters, arrow keys, and the line that reads a square aloud. */
const Matrix = (() => {
  const table = document.getElementById("matrix");
  const cells = Array.from(table.querySelectorAll("a.cell"));
  const readout = document.getElementById("readout");
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
    rove();
  }

  function read(cell) {
    const message = cell.getAttribute("title");
    readout.textContent = cell.getAttribute("aria-label") + (message ? ". " + message : "");
  }

  /* One square is in the tab order; the arrow keys move it over those that are shown. */
  const shown = (cell) => cell && cell.offsetParent !== null && !cell.classList.contains("faded");
  function rove(to) {
    const current = to || cells.find((cell) => cell.tabIndex === 0 && shown(cell)) || cells.find(shown);
    for (const cell of cells) cell.tabIndex = cell === current ? 0 : -1;
  }
  function move(cell, down, right) {
    const body = table.tBodies[0];
    let row = cell.closest("tr").sectionRowIndex;
    let column = cell.closest("td").cellIndex;
    for (;;) {
      row += down;
      column += right;
      const td = body.rows[row] && body.rows[row].cells[column];
      if (!td || column < 1) return;
      if (shown(td.firstElementChild)) {
        rove(td.firstElementChild);
        td.firstElementChild.focus();
        return;
      }
    }
  }

  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  table.addEventListener("keydown", (event) => {
    const cell = event.target.closest("a.cell");
    if (!cell || !ARROWS[event.key]) return;
    event.preventDefault();
    move(cell, ...ARROWS[event.key]);
  });
  for (const kind of ["focusin", "mouseover"]) {
    table.addEventListener(kind, (event) => {
      const cell = event.target.closest("a.cell");
      if (cell) read(cell);
    });
  }
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
  rove();
  return { apply };
})();
