// Times: those that run on each second, and clock times in the zone of whoever looks.

/** How far this machine's clock is ahead of the exporter's, in seconds. */
let skew = 0;

/**
 * Returns a duration in its two largest units, as the server writes it.
 * @param {number} seconds
 */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const [days, hours, minutes, rest] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  if (days) return `${days} d ${two(hours)} h`;
  if (hours) return `${hours} h ${two(minutes)} min`;
  return minutes ? `${minutes} min ${two(rest)} s` : `${rest} s`;
}

/**
 * @param {number} when
 * @param {boolean} short
 */
function clock(when, short) {
  const date = new Date(when * 1000);
  const hour = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (short || date.toDateString() === new Date().toDateString()) return hour;
  const near = Math.abs(Date.now() / 1000 - when) < 6 * 86400;
  const day = near ? date.toLocaleDateString("en-GB", { weekday: "short" }) : date.toLocaleDateString("sv-SE");
  return `${day} ${hour}`;
}

/**
 * Writes clock times in the browser's zone.
 * @param {Element} within
 */
export function localise(within) {
  const now = Number(document.getElementById("main")?.dataset.now);
  if (now) skew = Date.now() / 1000 - now;
  for (const each of /** @type {NodeListOf<HTMLElement | SVGElement>} */ (within.querySelectorAll("[data-at]"))) {
    put(each, clock(Number(each.dataset.at), "short" in each.dataset));
  }
}

/** Returns the exporter's time, in Unix seconds. */
export function present() {
  return Date.now() / 1000 - skew;
}

/** Lets the durations run that go on. */
export function tick() {
  const now = present();
  for (const each of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-since]"))) {
    put(each, duration(now - Number(each.dataset.since)));
  }
}

/**
 * @param {Element} element
 * @param {string} words
 */
function put(element, words) {
  if (element.textContent !== words) element.textContent = words;
}
