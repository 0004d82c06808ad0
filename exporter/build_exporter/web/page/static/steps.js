// The steps of a build: kept as plain data, of which only the rows in sight are drawn; filter, search and order.
import { duration, present } from "./clock.js";

/**
 * A step as `rows.py` sends it.
 * @typedef {[index: number, state: string, phase: string, step: string, package_: string, note: string, overdue: boolean,
 *   start: number | null, end: number | null, seconds: number | null, expected: number | null,
 *   begin: number | null, until: number | null]} Row
 * @typedef {{ cursor: string, whole: boolean, more: boolean, rows: Row[] }} Changes
 */

/** So many rows are all drawn at once: the browser's own search finds them, and they are printed. */
const FEW = 300;
/** Rows drawn above and below those in sight. */
const AROUND = 25;

/** @type {Map<number, Row>} */
const all = new Map();
/** Rows that the filter wants, in their order. @type {Row[]} */
let shown = [];
/** Rows on the page, with what they were drawn from. @type {Map<number, { row: Row, axis: string, element: HTMLTableRowElement }>} */
let drawn = new Map();
let cursor = "";
let height = 0;
let longest = false;
let everything = false;
let waits = false;

/**
 * Asks for rows that changed until there are none left, and draws those in sight.
 * @param {(address: string) => Promise<string>} ask
 */
export async function takeRows(ask) {
  const rows = document.getElementById("rows");
  if (!rows) return;
  const first = !cursor;
  /** @type {Changes} */
  let part = { cursor, whole: false, more: true, rows: [] };
  while (part.more) {
    part = JSON.parse(await ask(`/builds/${encodeURIComponent(document.body.dataset.build ?? "")}/rows?since=${part.cursor}`));
    if (part.whole) all.clear();
    for (const row of part.rows) all.set(row[0], row);
  }
  cursor = part.cursor;
  filterRows();
  if (first) showCurrent();
}

/** Applies the filter as it is typed and chosen, without asking the server. */
export function keepFilter() {
  const form = document.getElementById("filters");
  const box = document.querySelector(".scroll");
  if (!(form instanceof HTMLFormElement) || !box) return;
  const again = () => {
    box.scrollTop = 0;
    filterRows();
  };
  form.addEventListener("input", again);
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search()?.focus();
    } else if (event.key === "Escape" && event.target === search()) {
      /** @type {HTMLInputElement} */ (event.target).value = "";
      again();
    }
  });
  const order = document.createElement("button");
  order.type = "button";
  order.className = "order";
  order.textContent = "Longest first";
  order.setAttribute("aria-pressed", "false");
  order.addEventListener("click", () => {
    longest = !longest;
    order.setAttribute("aria-pressed", String(longest));
    again();
  });
  document.querySelector("#steps-card > header")?.append(order);
  box.addEventListener("scroll", soon);
  window.addEventListener("resize", () => {
    height = 0;
    soon();
  });
  for (const kind of ["beforeprint", "afterprint"]) {
    window.addEventListener(kind, () => {
      everything = kind === "beforeprint";
      drawRows();
    });
  }
  showCurrent();
}

/** Returns how many steps the build has. */
export function countRows() {
  return all.size;
}

/** Draws with the next frame. */
function soon() {
  if (waits) return;
  waits = true;
  requestAnimationFrame(() => {
    waits = false;
    drawRows();
  });
}

/** Scrolls the rows to the step that failed or runs. */
export function showCurrent() {
  const box = document.querySelector(".scroll");
  if (!box) return;
  if (!cursor) {
    const row = document.querySelector("#rows > [data-state=failed]") ?? document.querySelector("#rows > [data-state=running]");
    if (row instanceof HTMLElement) box.scrollTop = above(row.offsetTop, row.offsetHeight);
    return;
  }
  const failed = shown.findIndex((row) => row[1] === "failed");
  const place = failed >= 0 ? failed : shown.findIndex((row) => row[1] === "running");
  if (place >= 0) box.scrollTop = above(place * height, height);
  drawRows();
}

/**
 * Returns where to scroll to so that a row has whole rows above it.
 * @param {number} top
 * @param {number} row
 */
function above(top, row) {
  const box = document.querySelector(".scroll");
  return Math.max(0, top - row * Math.floor((box?.clientHeight ?? 0) / 3 / (row || 1)));
}

function search() {
  const found = document.querySelector("#filters input[type=search]");
  return found instanceof HTMLInputElement ? found : null;
}

/** Finds the rows that are wanted, says how many, and draws those in sight. */
export function filterRows() {
  const label = document.getElementById("matching");
  if (!cursor || !label) return;
  const chosen = document.querySelector("#filters input[name=state]:checked");
  const state = chosen instanceof HTMLInputElement ? chosen.value : "";
  const words = (search()?.value ?? "").trim().toLowerCase();
  shown = [...all.values()].filter((row) => (!state || row[1] === state) && `${row[2]} ${row[3]} ${row[4]}`.toLowerCase().includes(words));
  shown.sort(longest ? (a, b) => took(b) - took(a) || a[0] - b[0] : (a, b) => a[0] - b[0]);
  const count = (/** @type {number} */ n) => n.toLocaleString("en");
  const said = shown.length === all.size ? `${count(all.size)} step${all.size === 1 ? "" : "s"}` : `${count(shown.length)} of ${count(all.size)} steps`;
  if (label.textContent !== said) label.textContent = said;
  drawRows();
}

/** @param {Row} row */
function took(row) {
  return row[9] ?? (row[1] === "running" && row[7] !== null ? present() - row[7] : -1);
}

/** Draws the rows in sight, and lets those stay that are the same. */
export function drawRows() {
  const rows = document.getElementById("rows");
  const box = document.querySelector(".scroll");
  const axis = document.querySelector(".axis-labels");
  if (!cursor || !(rows instanceof HTMLTableSectionElement) || !box) return;
  const [begin, end] = axis instanceof SVGElement ? [Number(axis.dataset.begin), Number(axis.dataset.end)] : [0, 0];
  const line = document.querySelector(".axis-labels .now");
  for (const side of ["x1", "x2"]) line?.setAttribute(side, `${Math.min(100, (100 * (present() - begin)) / (end - begin))}%`);
  const few = everything || shown.length <= FEW;
  if (!height && shown.length) {
    const one = rows.querySelector("tr:not(.space, [hidden])") ?? rows.appendChild(draw(shown[0], begin, end));
    height = one.getBoundingClientRect().height || 32;
  }
  const top = few ? 0 : Math.max(0, Math.floor(box.scrollTop / height) - AROUND);
  const bottom = few ? shown.length : Math.min(shown.length, Math.ceil((box.scrollTop + box.clientHeight) / height) + AROUND);
  const now = new Map();
  const held = document.activeElement;
  const elements = shown.slice(top, bottom).map((row, place) => {
    const known = drawn.get(row[0]);
    const same = known && known.row === row && known.axis === `${begin} ${end}` && (row[1] !== "running" || held?.closest("tr") === known.element);
    const element = same ? known.element : draw(row, begin, end);
    element.setAttribute("aria-rowindex", String(top + place + 2));
    now.set(row[0], { row, axis: `${begin} ${end}`, element });
    return element;
  });
  const focused = held instanceof HTMLElement && rows.contains(held) ? held.closest("tr")?.id : undefined;
  put(rows, [space(top), ...elements, space(shown.length - bottom)]);
  drawn = now;
  if (focused && document.activeElement !== held) document.getElementById(focused)?.querySelector("a")?.focus({ preventScroll: true });
  rows.parentElement?.setAttribute("aria-rowcount", String(shown.length + 1));
}

/**
 * Makes `rows` hold these elements, moving none that stays.
 * @param {HTMLElement} rows
 * @param {HTMLElement[]} elements
 */
function put(rows, elements) {
  const wanted = new Set(elements);
  for (const each of [...rows.children]) if (!wanted.has(/** @type {HTMLElement} */ (each))) each.remove();
  let place = rows.firstElementChild;
  for (const each of elements) {
    if (each === place) place = place.nextElementSibling;
    else rows.insertBefore(each, place);
  }
}

/**
 * Returns the room that rows out of sight take.
 * @param {number} count
 */
function space(count) {
  const made = document.createElement("tr");
  made.className = "space";
  made.setAttribute("role", "none");
  made.hidden = !count;
  made.style.height = `${count * height}px`;
  return made;
}

/**
 * Returns the row of a step.
 * @param {Row} row
 * @param {number} from
 * @param {number} to
 */
function draw(row, from, to) {
  const [index, state, phase, step, , note, overdue, start, , seconds, expected] = row;
  const made = document.createElement("tr");
  Object.assign(made, { id: `s${index}`, className: state });
  made.dataset.state = state;
  made.setAttribute("role", "row");
  const [name, lane, time, plan] = ["", "", "number time", "number plan dim"].map((kind) => {
    const cell = made.insertCell();
    cell.className = kind;
    cell.setAttribute("role", "cell");
    return cell;
  });
  const link = element("a", "", step);
  link.title = step;
  link.href = `/builds/${[document.body.dataset.build ?? "", "steps", phase, step].map(encodeURIComponent).join("/")}`;
  const more = element("span", "dim", note ? `${phase}, ${note}` : phase);
  more.title = phase;
  const cell = element("span", "cell", "");
  cell.append(picture("svg", { class: state === "running" ? "icon turns" : "icon", "aria-hidden": "true" }, picture("use", { href: `#i-${state}` })));
  cell.append(element("span", "sr", state), link, more);
  if (overdue) cell.append(element("span", "tag overdue", "overdue"));
  name.append(cell);
  lane.append(picture("svg", { class: "lane", "aria-hidden": "true" }, ...bars(row, from, to)));
  if (state === "running" && start !== null) {
    const since = element("time", "", duration(present() - start));
    since.dataset.since = String(start);
    time.append(since);
  } else if (seconds !== null) time.textContent = duration(seconds);
  if (expected !== null && expected >= 0.5) plan.textContent = duration(expected);
  return made;
}

/**
 * Returns what is drawn of a step in time.
 * @param {Row} row
 * @param {number} from
 * @param {number} to
 */
function bars([, state, , , , , overdue, start, finish, seconds, expected, planned, until], from, to) {
  /** @param {number} when */
  const x = (when) => Math.max(0, Math.min(100, (100 * (when - from)) / (to - from)));
  /** @param {string} kind @param {number} left @param {number} right */
  const bar = (kind, left, right) =>
    picture("rect", { class: kind, x: `${x(left).toFixed(2)}%`, width: `${Math.max(0.05, x(right) - x(left)).toFixed(2)}%`, height: "100%" });
  if (to <= from) return [];
  if (planned !== null && until !== null) return [bar("ghost", planned, until)];
  const end = state === "running" ? present() : finish;
  if (state === "pending" || end === null) return [];
  const begin = start ?? end - (seconds ?? 0);
  const due = begin + (expected || Infinity);
  if (state !== "running") return [bar("fill", begin, end)];
  if (overdue) return [bar("fill", begin, Math.min(end, due)), bar("over", Math.min(end, due), end)];
  return [bar("fill", begin, end), ...(end < due && due < Infinity ? [bar("ghost", end, due)] : [])];
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} kind
 * @param {string} name
 * @param {string} words
 */
function element(kind, name, words) {
  const made = document.createElement(kind);
  if (name) made.className = name;
  made.textContent = words;
  return made;
}

/**
 * @param {string} kind
 * @param {Record<string, string>} attributes
 * @param {...Element} within
 */
function picture(kind, attributes, ...within) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...within);
  return made;
}
