"use strict";
{
  const root = document.documentElement, button = document.getElementById("theme");
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const show = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-pressed", String(dark())); };
  button.hidden = false;
  button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; show(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  show();

  const value = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  const order = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    return isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells], said = table.parentElement.nextElementSibling;
    heads.forEach((head, column) => {
      const title = head.textContent.trim(), sorter = document.createElement("button");
      sorter.type = "button";
      sorter.append(...head.childNodes);
      head.append(sorter);
      sorter.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending", body = table.tBodies[0];
        const rows = [...body.rows].sort((a, b) => {
          const x = value(a, column), y = value(b, column);
          // What has no value stands last, whichever way.
          return x === "" || y === "" ? order(x, y) : (down ? -1 : 1) * order(x, y);
        });
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        body.append(...rows);
        if (said) said.textContent = `Sorted by ${title}, ${down ? "descending" : "ascending"}.`;
      });
    });
  }
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
}
