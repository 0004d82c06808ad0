// A person's answers from the page: an alert acknowledged, a run rated.

const NAME = "acknowledged-by";

/**
 * Sends what a person answers to an alert; `changed` is called once it is taken.
 * @param {() => void} changed
 */
export function keepAlerts(changed) {
  fillName();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement)) return;
    if (form.classList.contains("ack")) {
      event.preventDefault();
      void send(form).then(changed);
    } else if (form.classList.contains("rate")) {
      event.preventDefault();
      void rate(form, event.submitter);
    }
  });
}

/**
 * Appends a rating of a run as an event.
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} button
 */
async function rate(form, button) {
  const event = { event: "feedback", build: form.dataset.build, rating: Number(button?.dataset.rating), time: Date.now() / 1000 };
  const status = form.querySelector("[role=status]");
  const taken = await post("/api/v1/events", [event]).catch(() => null);
  if (status) status.textContent = taken?.ok ? "Thank you" : "Not taken: the exporter refuses or does not answer";
}

/**
 * @param {string} address
 * @param {unknown} body
 * @returns {Promise<Response>}
 */
function post(address, body) {
  return fetch(address, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

/** Puts in the name that was given last. */
export function fillName() {
  for (const each of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll(".ack input[name=by]"))) {
    each.value ||= localStorage.getItem(NAME) ?? "";
  }
}

/** @param {HTMLFormElement} form */
async function send(form) {
  const given = new FormData(form);
  const answer = { by: String(given.get("by")), message: String(given.get("message")), ...form.dataset };
  localStorage.setItem(NAME, answer.by);
  const status = form.querySelector("[role=status]");
  /** @param {string} words */
  const say = (words) => status && (status.textContent = words);
  say("Sending");
  try {
    const taken = await post("/api/v1/alerts/acknowledge", answer);
    say(taken.ok ? "Acknowledged" : `Not acknowledged: ${(await taken.json()).error?.message ?? taken.status}`);
  } catch {
    say("Not acknowledged: the exporter does not answer");
  }
}
