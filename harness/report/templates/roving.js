"use strict";
/* One square of a matrix is in the tab order; the arrow keys move it over those that are shown, and a
   line below reads aloud the square that is pointed at. */
const Roving = (table, readout) => {
  const cells = Array.from(table.querySelectorAll("a.cell"));
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
  function read(cell) {
    const label = cell.getAttribute("aria-label"), message = cell.getAttribute("title");
    readout.textContent = label + (message && message !== label ? ". " + message : "");
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
  rove();
  return rove;
};
