"use strict";
/* Tables with one tbody per row sort by any column: numbers by value, empty ones last. */
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (body) => {
        const cell = body.rows[0].cells[column];
        const text = "sort" in cell.dataset ? cell.dataset.sort : cell.textContent;
        if (!head.classList.contains("number")) return text;
        return text === "" ? null : text === "inf" ? Infinity : Number(text);
      };
      const compare = (a, b) => {
        if (a === null || b === null) return (a === null) - (b === null);
        const order = typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a < b ? -1 : a > b ? 1 : 0;
        return down ? -order : order;
      };
      const bodies = Array.from(table.tBodies);
      const keys = new Map(bodies.map((body) => [body, key(body)]));
      bodies.sort((a, b) => compare(keys.get(a), keys.get(b)));
      table.append(...bodies);
    });
  });
}
