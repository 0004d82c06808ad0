// Colours of a terminal as classes: text stays text, whatever it holds.

/**
 * Returns text whose escapes set colours as text nodes and spans.
 * @param {string} text
 * @returns {DocumentFragment}
 */
export function coloured(text) {
  const made = document.createDocumentFragment();
  /** @type {Map<string, string>} */
  const style = new Map();
  for (const [index, part] of text.split(/\x1b\[([0-9;]{0,32})m/).entries()) {
    if (index % 2) {
      change(style, part.split(";").map(Number));
    } else if (part && style.size) {
      const span = document.createElement("span");
      span.className = [...style.values()].join(" ");
      span.textContent = part;
      made.append(span);
    } else if (part) {
      made.append(part);
    }
  }
  return made;
}

/**
 * @param {Map<string, string>} style
 * @param {number[]} codes
 */
function change(style, codes) {
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) style.clear();
    else if (code < 5) style.set(`a${code}`, `a${code}`);
    else if (code === 22) ["a1", "a2"].forEach((each) => style.delete(each));
    else if (code === 23 || code === 24) style.delete(`a${code - 20}`);
    else if (code === 38 || code === 48) {
      const ground = code === 38 ? "f" : "b";
      if (codes[i + 1] === 5 && codes[i + 2] < 16) style.set(ground, ground + (codes[i + 2] % 8));
      i += codes[i + 1] === 5 ? 2 : 4;
    } else if (code === 39 || code === 49) style.delete(code === 39 ? "f" : "b");
    else if ((code >= 30 && code < 38) || (code >= 90 && code < 98)) style.set("f", `f${code % 10}`);
    else if ((code >= 40 && code < 48) || (code >= 100 && code < 108)) style.set("b", `b${code % 10}`);
  }
}
