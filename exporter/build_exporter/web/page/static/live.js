// The stream: WebSocket, else server-sent events, else asking every few seconds; and what the page says of it.

const SILENCE = 60_000;
const POLL = 3_000;
const LONGEST_PAUSE = 10_000;
/** After so many failures in a row to open a kind of stream the next kind is tried. */
const PATIENCE = 2;

/**
 * Calls `changed` whenever something happened in a build (empty: in any), and shows how the page learns of it.
 * @param {string} build
 * @param {() => void} changed
 * @param {boolean} wanted
 */
export function follow(build, changed, wanted) {
  const address = `/api/v1/stream${build ? `?build=${encodeURIComponent(build)}` : ""}`;
  let failures = 0;
  let open = false;
  let since = 0;
  /** @type {number | undefined} */
  let silence;
  /** @type {number | undefined} */
  let polling;

  function opened() {
    failures = 0;
    open = true;
    window.clearInterval(polling);
    polling = undefined;
    heard();
  }

  function heard() {
    window.clearTimeout(silence);
    silence = window.setTimeout(() => current?.close(), SILENCE);
  }

  /** @type {{ close(): void } | undefined} */
  let current;

  function connect() {
    if (failures < PATIENCE) {
      current = socket();
    } else if (failures < 2 * PATIENCE) {
      current = events();
    } else {
      failures = 0;
      window.setTimeout(connect, LONGEST_PAUSE * 3);
    }
  }

  function closed() {
    window.clearTimeout(silence);
    failures = open ? 0 : failures + 1;
    open = false;
    polling ??= window.setInterval(changed, POLL);
    changed();
    window.setTimeout(connect, Math.min(LONGEST_PAUSE, 500 * 2 ** failures));
  }

  function socket() {
    const made = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${address}`);
    made.onopen = opened;
    made.onmessage = (message) => {
      heard();
      if (!String(message.data).startsWith('{"type":"heartbeat"')) changed();
    };
    made.onclose = closed;
    return made;
  }

  function events() {
    const made = new EventSource(address);
    const message = () => {
      heard();
      changed();
    };
    made.onopen = opened;
    made.onmessage = message;
    for (const kind of ["snapshot", "event"]) made.addEventListener(kind, message);
    made.onerror = () => {
      made.close();
      closed();
    };
    return { close: () => made.onerror?.(new Event("error")) };
  }

  if (wanted) connect();
  return {
    /** The exporter answered. */
    reached() {
      since = 0;
      show(open ? "live" : "slow", open ? "Live" : `Asking every ${POLL / 1000} s`, "");
    },
    /** The exporter did not answer. */
    missed() {
      since ||= Date.now();
      const when = new Date(since).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
      show("lost", "Disconnected", `No answer from the exporter since ${when}. What you see is from before; trying again.`);
      polling ??= window.setInterval(changed, POLL);
    },
  };
}

/**
 * @param {"live" | "slow" | "lost"} mode
 * @param {string} words
 * @param {string} detail
 */
function show(mode, words, detail) {
  const link = document.getElementById("link");
  const banner = document.getElementById("banner");
  if (!link || !banner) return;
  link.dataset.mode = mode;
  const label = link.firstElementChild ?? link;
  if (label.textContent !== words) label.textContent = words;
  link.title = words;
  document.body.classList.toggle("lost", mode === "lost");
  banner.hidden = mode !== "lost";
  if (banner.textContent !== detail) banner.textContent = detail;
}
