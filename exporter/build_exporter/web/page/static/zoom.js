// The time axis of the steps: zoomed by buttons or Ctrl and the wheel, moved by dragging.
import { showCurrent } from "./steps.js";

const MOST = 256;
const LABELS = 7;
const SPANS = [1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400, 172800, 604800];

/** How many times the whole time is as wide as what is shown, and the share of it to the left of that. */
let zoom = 1;
let left = 0;

/** Puts the buttons on the page and listens for wheel and pointer. */
export function keepZoom() {
  const table = document.querySelector(".gantt");
  const form = document.getElementById("filters");
  if (!(table instanceof HTMLElement) || !form) return;
  const group = document.createElement("span");
  group.className = "zoom";
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Time axis");
  group.append(
    button("−", "Show more time", () => change(zoom / 2, 0.5)),
    button("+", "Show less time", () => change(zoom * 2, 0.5)),
    button("Whole run", "Show the whole run", () => change(1, 0)),
  );
  form.parentElement?.querySelector("header")?.append(group);
  table.addEventListener("wheel", (event) => {
    const lane = laneOf(event.target);
    if (!lane || !event.ctrlKey) return;
    event.preventDefault();
    const box = lane.getBoundingClientRect();
    change(zoom * (event.deltaY < 0 ? 1.25 : 0.8), (event.clientX - box.left) / box.width);
  }, { passive: false });
  table.addEventListener("pointerdown", (event) => {
    const lane = laneOf(event.target);
    if (!lane || zoom === 1 || event.pointerType === "touch") return;
    event.preventDefault();
    const [from, width, begin] = [event.clientX, lane.clientWidth, left];
    const move = (/** @type {PointerEvent} */ now) => {
      left = begin - (now.clientX - from) / width / zoom;
      apply();
    };
    table.addEventListener("pointermove", move);
    window.addEventListener("pointerup", () => table.removeEventListener("pointermove", move), { once: true });
  });
}

/** @param {EventTarget | null} target */
function laneOf(target) {
  const cell = target instanceof Element ? target.closest("td:nth-child(2), th.axis") : null;
  return cell instanceof HTMLElement ? cell : null;
}

/**
 * Zooms; the time at `place` (0: left, 1: right) stays where it is, or, with the buttons, the time that is now comes
 * into sight.
 * @param {number} wanted
 * @param {number} place
 */
function change(wanted, place) {
  const axis = document.querySelector(".axis-labels");
  const now = axis instanceof SVGElement ? Number(axis.dataset.now) / 100 : NaN;
  const held = zoom === 1 && place === 0.5 && now >= 0 ? now : left + place / zoom;
  zoom = Math.max(1, Math.min(MOST, wanted));
  left = held - place / zoom;
  apply();
  if (place === 0.5) showCurrent();
}

function apply() {
  left = Math.max(0, Math.min(1 - 1 / zoom, left));
  const table = document.querySelector(".gantt");
  if (!(table instanceof HTMLElement)) return;
  table.style.setProperty("--zoom", String(zoom));
  table.style.setProperty("--left", String(left));
  drawTicks();
}

/** Draws the times of the axis for what is shown, where that is not the whole. */
export function drawTicks() {
  const axis = document.querySelector(".axis-labels");
  if (zoom === 1 || !(axis instanceof SVGElement)) return;
  const [begin, end] = [Number(axis.dataset.begin), Number(axis.dataset.end)];
  const [from, span] = [begin + left * (end - begin), (end - begin) / zoom];
  const step = SPANS.find((each) => span / each <= LABELS) ?? span;
  axis.querySelectorAll("text").forEach((each) => each.remove());
  for (let when = Math.ceil(from / step) * step; when < from + span; when += step) {
    const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
    text.setAttribute("x", `${(100 * (when - begin)) / (end - begin)}%`);
    text.setAttribute("y", "75%");
    text.setAttribute("text-anchor", "middle");
    const seconds = step < 60 ? /** @type {const} */ ("2-digit") : undefined;
    text.textContent = new Date(when * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: seconds });
    axis.append(text);
  }
}

/**
 * @param {string} words
 * @param {string} label
 * @param {() => void} act
 */
function button(words, label, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  made.title = label;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}
