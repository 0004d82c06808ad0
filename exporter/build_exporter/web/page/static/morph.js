// Makes one tree like another and changes only what differs: focus, scroll positions and selections stay.

/**
 * Makes `old` like `fresh`, which must be of the same kind. What is inside an element with `data-keep` stays.
 * @param {Node} old
 * @param {Node} fresh
 */
export function morph(old, fresh) {
  if (old instanceof CharacterData) {
    if (old.data !== /** @type {CharacterData} */ (fresh).data) old.data = /** @type {CharacterData} */ (fresh).data;
    return;
  }
  if (!(old instanceof Element) || !(fresh instanceof Element)) return;
  if (old.hasAttribute("data-keep") && fresh.hasAttribute("data-keep")) return;
  attributes(old, fresh);
  children(old, fresh);
}

/**
 * @param {Element} old
 * @param {Element} fresh
 */
function attributes(old, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    // the server sends no style: what is there a script has set
    if (!fresh.hasAttribute(name) && name !== "style") old.removeAttribute(name);
  }
}

/**
 * @param {Element} old
 * @param {Element} fresh
 */
function children(old, fresh) {
  const named = new Map([...old.children].filter((each) => each.id).map((each) => [each.id, each]));
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const known = wanted instanceof Element && wanted.id ? named.get(wanted.id) : undefined;
    if (known) {
      if (known === place) place = place.nextSibling;
      else old.insertBefore(known, place);
      morph(known, wanted);
    } else if (place && isAlike(place, wanted)) {
      morph(place, wanted);
      place = place.nextSibling;
    } else {
      old.insertBefore(document.importNode(wanted, true), place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

/**
 * @param {Node} old
 * @param {Node} fresh
 */
function isAlike(old, fresh) {
  if (old.nodeName !== fresh.nodeName) return false;
  return !(old instanceof Element && (old.id || /** @type {Element} */ (fresh).id));
}
