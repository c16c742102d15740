// Making and keeping elements. Whatever is data enters as text or as an attribute, never as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  set(node, attributes);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An HTML element; attributes as `set` takes them, children as text or nodes. */
export const el = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

/** An SVG element. */
export const svg = (name, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children);

/** Set attributes that differ: `on…` functions are listeners, false and null remove, true is an empty value. */
export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (name === "value" && "value" in node) node.value = value;
    else if (value === false || value === null || value === undefined) node.removeAttribute(name);
    else {
      const text = value === true ? "" : String(value);
      if (node.getAttribute(name) !== text) node.setAttribute(name, text);
    }
  }
  return node;
}

/** Put text where it differs, so that selections and screen readers are not disturbed. */
export function text(node, words) {
  if (node.textContent !== words) node.textContent = words;
  return node;
}

/** Show or hide. */
export function show(node, visible) {
  node.toggleAttribute("hidden", !visible); // an SVG element has the attribute alone
  return node;
}

/** Make the children of `parent` those of `items`, by key, keeping what is there already: focus, hover, scroll.
 *
 * What is moved loses the focus; where the order does not show, `sorted` is false and nothing is moved.
 */
export function reconcile(parent, items, key, make, update, sorted = true) {
  const known = parent.kept || (parent.kept = new Map());
  const wanted = new Set(items.map((item) => String(key(item))));
  for (const [name, node] of known) {
    if (wanted.has(name)) continue;
    node.remove();
    known.delete(name);
  }
  for (const child of [...parent.childNodes]) if (!isKept(known, child)) child.remove();
  let place = sorted ? parent.firstChild : null;
  for (const item of items) {
    const name = String(key(item));
    let node = known.get(name);
    if (!node) {
      node = make(item);
      known.set(name, node);
    }
    if (update) update(node, item);
    if (!sorted && node.parentNode === parent) continue;
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
}

function isKept(known, child) {
  for (const node of known.values()) if (node === child) return true;
  return false;
}

/** Replace all children. */
export function put(parent, ...children) {
  parent.kept = undefined;
  parent.replaceChildren(...children.flat().filter(Boolean));
  return parent;
}

export const byId = (id) => document.getElementById(id);
