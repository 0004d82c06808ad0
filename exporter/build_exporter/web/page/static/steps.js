// The steps of a build: rows that changed are put in, a filter and a search hide the others.
import { localise } from "./clock.js";

/**
 * Puts in the rows of an answer: all of them, or those that changed.
 * @param {HTMLElement} rows
 * @param {string} html
 */
export function takeRows(rows, html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").querySelector("tbody");
  if (!fresh) return;
  if (fresh.hasAttribute("data-whole")) rows.replaceChildren();
  rows.dataset.cursor = fresh.dataset.cursor ?? "";
  let last = null;
  for (const row of /** @type {HTMLTableRowElement[]} */ ([...fresh.rows])) {
    const known = document.getElementById(row.id);
    row.hidden = !isWanted(row);
    if (known) {
      const focused = known.contains(document.activeElement);
      known.replaceWith(row);
      if (focused) row.querySelector("a")?.focus();
    } else if (last && last.parentElement === rows) last.after(row);
    else rows.append(row);
    last = row;
  }
  localise(rows);
}

/** Applies the filter as it is typed and chosen, without asking the server. */
export function keepFilter() {
  const form = document.getElementById("filters");
  if (!(form instanceof HTMLFormElement)) return;
  form.addEventListener("input", filterRows);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement && event.target.type === "search";
    if (event.key === "/" && !typing) {
      event.preventDefault();
      search()?.focus();
    } else if (event.key === "Escape" && typing) {
      /** @type {HTMLInputElement} */ (event.target).value = "";
      filterRows();
    }
  });
  filterRows();
  showCurrent();
}

/** Scrolls the rows to the step that failed or runs. */
export function showCurrent() {
  const running = document.querySelector("#rows > [data-state=failed]") ?? document.querySelector("#rows > [data-state=running]");
  const box = running?.closest(".scroll");
  if (running instanceof HTMLElement && box) box.scrollTop = Math.max(0, running.offsetTop - box.clientHeight / 3);
}

function search() {
  const found = document.querySelector("#filters input[type=search]");
  return found instanceof HTMLInputElement ? found : null;
}

/** @param {HTMLElement} row */
function isWanted(row) {
  const chosen = document.querySelector("#filters input[name=state]:checked");
  const state = chosen instanceof HTMLInputElement ? chosen.value : "";
  const words = (search()?.value ?? "").trim().toLowerCase();
  return (!state || row.dataset.state === state) && (row.dataset.text ?? "").includes(words);
}

/** Hides the rows that are not wanted and says how many are. */
export function filterRows() {
  const rows = document.getElementById("rows");
  const label = document.getElementById("matching");
  if (!(rows instanceof HTMLTableSectionElement) || !label) return;
  let shown = 0;
  for (const row of rows.rows) {
    const wanted = isWanted(row);
    if (row.hidden === wanted) row.hidden = !wanted;
    shown += Number(wanted);
  }
  const all = rows.rows.length;
  const words = shown === all ? `${all} step${all === 1 ? "" : "s"}` : `${shown} of ${all} steps`;
  if (label.textContent !== words) label.textContent = words;
}
