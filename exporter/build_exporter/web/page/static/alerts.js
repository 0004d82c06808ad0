// Acknowledging an alert from the page.

const NAME = "acknowledged-by";

/**
 * Sends what a person answers to an alert; `changed` is called once it is taken.
 * @param {() => void} changed
 */
export function keepAlerts(changed) {
  fillName();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.classList.contains("ack")) return;
    event.preventDefault();
    void send(form).then(changed);
  });
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
    const taken = await fetch("/api/v1/alerts/acknowledge", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(answer),
    });
    say(taken.ok ? "Acknowledged" : `Not acknowledged: ${(await taken.json()).error?.message ?? taken.status}`);
  } catch {
    say("Not acknowledged: the exporter does not answer");
  }
}
