/** Watches the log on the page, if there is one. */
export function watchLog() {}
