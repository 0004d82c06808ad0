// A step's log: its end first, followed while the step runs, earlier parts when asked for.
import { coloured } from "./ansi.js";

const PART = 65_536;
/** Parts kept on the page: what scrolls far out of sight is dropped and can be loaded again. */
const MOST_PARTS = 24;
const PAUSE = 1_000;

/** @type {WeakMap<Element, Log>} */
const known = new WeakMap();

/** Watches the log on the page, if there is one. */
export function watchLog() {
  const element = document.querySelector(".log");
  if (!(element instanceof HTMLElement) || known.has(element)) return;
  const log = new Log(element);
  known.set(element, log);
  void log.run();
}

class Log {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    /** Where in the file what is shown begins and ends. */
    this.first = 0;
    this.next = -PART;
    this.over = false;
    this.following = true;
    this.height = element.clientHeight;
    this.status = document.createElement("span");
    this.earlier = button("Earlier", () => void this.before());
    this.follow = button("Follow", () => this.toggle(!this.following));
    this.wrap = button("Wrap", () => this.wrap.setAttribute("aria-pressed", String(element.classList.toggle("wrap"))));
    // on a phone lines that aren't wrapped can't be read
    this.wrap.setAttribute("aria-pressed", String(element.classList.toggle("wrap", window.innerWidth < 700)));
    this.status.className = "dim small";
    this.status.setAttribute("role", "status");
    element.closest(".card")?.querySelector(".tools")?.append(this.status, this.earlier, this.follow, this.wrap);
    element.addEventListener("scroll", () => this.scrolled());
    this.toggle(true);
  }

  /** Loads the end and goes on as long as the step runs and the log is on the page. */
  async run() {
    this.element.textContent = "";
    while (this.element.isConnected) {
      if (!document.hidden && (this.following || this.next < 0)) await this.after();
      if (this.over) break;
      await new Promise((resolve) => window.setTimeout(resolve, PAUSE));
    }
  }

  async after() {
    let full = true;
    while (full && this.element.isConnected) {
      const part = await this.load(this.next, PART);
      if (!part) return;
      if (part.size < this.next) {
        // the file was written anew
        this.element.textContent = "";
        this.next = -PART;
        continue;
      }
      if (!this.element.firstChild) this.first = part.offset;
      this.next = part.next;
      this.over = part.over && part.eof;
      if (part.text) this.element.append(block(part));
      while (this.element.children.length > MOST_PARTS) this.drop(this.element.firstElementChild);
      full = !part.eof && part.text !== "";
      this.show(part);
    }
    if (this.following) this.element.scrollTop = this.element.scrollHeight;
  }

  async before() {
    const begin = Math.max(0, this.first - PART);
    const part = this.first > begin ? await this.load(begin, this.first - begin) : null;
    if (!part) return;
    this.toggle(false);
    const height = this.element.scrollHeight;
    this.element.prepend(block(part));
    this.first = part.offset;
    // the end of what was loaded
    this.element.scrollTop = Math.max(0, this.element.scrollHeight - height - 0.8 * this.element.clientHeight);
    while (this.element.children.length > MOST_PARTS) {
      const last = this.element.lastElementChild;
      this.next = Number(last instanceof HTMLElement ? last.dataset.offset : this.next);
      this.over = false;
      last?.remove();
    }
    this.show(part);
  }

  /** @param {Element | null} part */
  drop(part) {
    if (part instanceof HTMLElement) this.first = Number(part.dataset.next);
    part?.remove();
  }

  /**
   * @param {number} offset
   * @param {number} limit
   * @returns {Promise<Part | null>}
   */
  async load(offset, limit) {
    const { build, phase, step } = this.element.dataset;
    const query = new URLSearchParams({ step: `${phase}/${step}`, offset: String(offset), limit: String(limit), colour: "true" });
    try {
      const answer = await fetch(`/api/v1/builds/${encodeURIComponent(build ?? "")}/log?${query}`, { cache: "no-store" });
      const body = await answer.json();
      if (answer.ok) return body;
      this.say(String(body.error?.message ?? "The log can't be read"));
      this.over = answer.status === 404;
      this.element.hidden = this.over && !this.element.firstChild;
    } catch {
      this.say("No answer; trying again");
    }
    return null;
  }

  /** @param {Part} part */
  show(part) {
    this.earlier.disabled = this.first <= 0;
    const size = part.size < 1024 ? `${part.size} B` : part.size < 1 << 20 ? `${(part.size / 1024).toFixed(1)} KiB` : `${(part.size / (1 << 20)).toFixed(1)} MiB`;
    this.say(`${size}${this.over ? ", ended" : this.following ? ", following" : ", paused"}`);
  }

  /** @param {string} words */
  say(words) {
    if (this.status.textContent !== words) this.status.textContent = words;
  }

  /** @param {boolean} following */
  toggle(following) {
    this.following = following;
    this.follow.setAttribute("aria-pressed", String(following));
    if (following) this.element.scrollTop = this.element.scrollHeight;
  }

  scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.element;
    if (clientHeight !== this.height) {
      // the window changed, not what its owner looks at
      this.height = clientHeight;
      return this.toggle(this.following);
    }
    const atEnd = scrollTop + clientHeight >= scrollHeight - 24;
    if (atEnd !== this.following) this.toggle(atEnd);
  }
}

/** @typedef {{ offset: number, next: number, size: number, eof: boolean, over: boolean, text: string }} Part */

/** @param {Part} part */
function block(part) {
  const made = document.createElement("span");
  made.dataset.offset = String(part.offset);
  made.dataset.next = String(part.next);
  made.append(coloured(part.text));
  return made;
}

/**
 * @param {string} words
 * @param {() => void} act
 */
function button(words, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  made.addEventListener("click", act);
  return made;
}
