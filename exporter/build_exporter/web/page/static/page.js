// Keeps a page up to date: asks for it again when something happened and changes what differs.
import { fillName, keepAlerts } from "./alerts.js";
import { localise, tick } from "./clock.js";
import { follow } from "./live.js";
import { watchLog } from "./log.js";
import { morph } from "./morph.js";
import { countRows, drawRows, keepFilter, takeRows } from "./steps.js";
import { drawTicks, keepZoom } from "./zoom.js";

/** Refreshes that may follow one another at once; then one comes each second. */
const BURST = 4;
/** A load that takes longer, of a very large build, is followed by a pause nine times as long. */
const SLOW = 150;
/** Steps of a very large build; one of fewer is slow because the machine builds, and waiting would not help it. */
const MANY = 5_000;
const PAUSE_HIDDEN = 10_000;
const DRIFT = 5_000;

let tokens = BURST;
let busy = false;
let wanted = false;
let latest = 0;
let took = 0;
/** @type {number | undefined} */
let timer;

/** Asks for the page again, now or as soon as may be. */
function refresh() {
  wanted = true;
  if (busy || timer !== undefined) return;
  const rest = took > SLOW && countRows() > MANY ? 9 * took : 0;
  const pause = document.hidden ? PAUSE_HIDDEN : Math.max(rest, tokens > 0 ? 0 : 1000);
  if (pause > 0) {
    timer = window.setTimeout(run, pause);
  } else {
    run();
  }
}

async function run() {
  timer = undefined;
  busy = true;
  wanted = false;
  tokens = Math.max(0, tokens - 1);
  const began = Date.now();
  try {
    await load();
    link.reached();
  } catch {
    link.missed();
  }
  latest = Date.now();
  took = latest - began;
  busy = false;
  if (wanted) refresh();
}

/** Loads the page and its rows and puts in what changed. */
async function load() {
  const page = await text(`${location.pathname}?live`);
  const fresh = new DOMParser().parseFromString(page, "text/html");
  const main = document.getElementById("main");
  const other = fresh.getElementById("main");
  if (!main || !other) throw new Error("no page");
  // what was waited for has begun, or is gone: another page, with other scripts' work to do
  if (fresh.body.dataset.build !== document.body.dataset.build) return location.reload();
  morph(main, other);
  document.title = fresh.title;
  const icon = fresh.querySelector("link[rel=icon]")?.getAttribute("href");
  const mine = document.querySelector("link[rel=icon]");
  if (icon && mine && mine.getAttribute("href") !== icon) mine.setAttribute("href", icon);
  localise(document.body);
  tick();
  drawTicks();
  await takeRows(text);
  fillName();
  watchLog();
}

/**
 * @param {string} address
 * @returns {Promise<string>}
 */
async function text(address) {
  const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
  if (!answer.ok && answer.status !== 404) throw new Error(String(answer.status));
  return answer.text();
}

document.documentElement.classList.add("js");
localise(document.body);
tick();
keepFilter();
keepZoom();
keepAlerts(refresh);
watchLog();
const link = follow(document.body.dataset.build ?? "", refresh, "live" in document.body.dataset);
if ("live" in document.body.dataset) {
  window.setInterval(() => {
    tokens = Math.min(BURST, tokens + 1);
    tick();
    drawRows();
    // bars and estimates move on without an event, too
    if (!document.hidden && Date.now() - latest > DRIFT) refresh();
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      window.clearTimeout(timer);
      timer = undefined;
      refresh();
    }
  });
}
