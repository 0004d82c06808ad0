// Transformation of matrix-hookshot for examples/matrix.yml: Alertmanager's message as one Matrix message.
const shown = data.alerts.slice(0, 5).map((alert) => {
  const { summary, description, progress, acknowledge_url, page_url, runbook_url } = alert.annotations;
  const over = alert.status === "resolved";
  const links = over ? [] : [["I have it", acknowledge_url], ["Live page", page_url], ["Runbook", runbook_url]];
  return {
    head: `${over ? "OVER" : (alert.labels.severity || "alert").toUpperCase()} ${alert.labels.build || ""}: ${summary}`,
    text: over ? "" : [description, progress].filter(Boolean).join("\n"),
    links: links.filter(([, url]) => url),
  };
});
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
result = {
  version: "v2",
  msgtype: "m.text",
  plain: shown.map(({ head, text, links }) => [head, text, ...links.map((link) => link.join(": "))].join("\n")).join("\n\n"),
  html: shown
    .map(({ head, text, links }) => {
      const anchors = links.map(([name, url]) => `<a href="${escaped(url)}">${name}</a>`).join(" · ");
      return `<b>${escaped(head)}</b><pre>${escaped(text)}</pre>${anchors}`;
    })
    .join("<br>"),
};
