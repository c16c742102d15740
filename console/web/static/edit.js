// The objects as YAML: looked over while somebody types, refused at its place, applied, taken back.

import { act, path, read } from "./api.js";
import { doing, outcome, refusal } from "./doing.js";
import { byId, el, put, set, show } from "./dom.js";
import { watch, writable } from "./store.js";

const place = byId("editor");
const PAUSE = 400;
let parts = null;
let objects = [];
let turn = 0;
let timer = 0;

/** Offer it, where there is something to read. */
export function start() {
  watch("mesh", () => {
    if (!writable()) return put(place, el("p", { class: "quiet" }, "What can only be looked at here is read with mesh get -o yaml, in a cluster with kubectl."));
    if (parts) return;
    make();
    load();
  });
  watch("actions", () => parts && writable() && load());
}

const titleOf = (object) => `${object.kind} ${object.namespace}/${object.name}`;
const clean = () => parts.area.value === parts.known;

function make() {
  const area = el("textarea", { id: "yaml", spellcheck: "false", autocomplete: "off", autocapitalize: "off", wrap: "off", rows: 18, "aria-describedby": "yaml-verdict" });
  const gutter = el("div", { class: "gutter", "aria-hidden": "true" });
  const verdict = el("div", { class: "outcome", id: "yaml-verdict", role: "status" });
  const out = outcome();
  const select = el("select", { id: "yaml-object", onchange: changed });
  const apply = el("button", { type: "button", class: "main", onclick: applied }, "Apply");
  const back = el("button", { type: "button", onclick: () => choose() }, "Put back what is in force");
  const remove = el("button", { type: "button", onclick: deleted }, "Delete the object");
  parts = { area, gutter, verdict, out, select, apply, back, remove, known: "", shown: "" };
  addEventListener("beforeunload", (event) => clean() || event.preventDefault());
  area.addEventListener("input", typed);
  area.addEventListener("scroll", () => (gutter.scrollTop = area.scrollTop));
  put(place, el("div", { class: "row" }, el("label", { for: "yaml-object" }, "Object"), select), el("label", { for: "yaml", class: "unseen" }, "YAML"),
    el("div", { class: "sheet" }, gutter, area), verdict, el("div", { class: "tools" }, apply, back, remove), out);
}

async function load() {
  let found, whyNot;
  try {
    ({ objects: found, why_not: whyNot } = await read(path("objects")));
  } catch (error) {
    return put(parts.out, refusal(error));
  }
  if (whyNot) return put(place, el("p", { class: "quiet" }, whyNot));
  const before = parts.select.value;
  objects = found;
  const groups = new Map();
  for (const object of objects) {
    const name = object.managed ? "Kept by the mesh itself, to read only" : object.kind;
    if (!groups.has(name)) groups.set(name, el("optgroup", { label: name }));
    groups.get(name).append(el("option", { value: titleOf(object) }, titleOf(object)));
  }
  const order = [...groups].sort(([one], [other]) => one.startsWith("Kept") - other.startsWith("Kept"));
  parts.select.replaceChildren(...order.map(([, group]) => group), el("option", { value: "" }, "a new one"));
  if (before && objects.some((object) => titleOf(object) === before)) parts.select.value = before;
  else if (parts.area.value && ((before === "" && parts.known === "") || !clean())) parts.select.value = parts.shown = ""; // its object is gone, the text is not
  const current = object();
  if (parts.known === "" && !parts.area.value) choose();
  else if (current && clean() && current.yaml !== parts.known) choose();
  else if (current) parts.known = current.yaml;
}

const object = () => objects.find((each) => titleOf(each) === parts.select.value);

const thrownAway = () => confirm("What you wrote here is not applied. Throw it away?");

/** Another object is wanted; what was written is not thrown away unasked. */
function changed() {
  if (clean() || thrownAway()) return choose();
  parts.select.value = parts.shown;
}

function choose() {
  parts.shown = parts.select.value;
  const chosen = object();
  parts.known = chosen?.yaml || "";
  parts.area.value = parts.known;
  const fixed = Boolean(chosen?.managed);
  parts.area.readOnly = fixed;
  for (const button of [parts.apply, parts.back, parts.remove]) show(button, !fixed);
  if (!chosen) show(parts.remove, false);
  put(parts.verdict, chosen?.managed ? el("p", { class: "quiet" }, "The mesh keeps this object itself; it can be read only.") : null);
  number([]);
}

function typed() {
  number([]);
  put(parts.out);
  turn++;
  clearTimeout(timer);
  put(parts.verdict, clean() ? null : el("p", { class: "quiet" }, "Not applied yet."));
  if (!clean()) timer = setTimeout(validate, PAUSE);
}

async function validate() {
  const mine = ++turn;
  try {
    const answer = await act("validate", { yaml: parts.area.value });
    if (mine === turn) verdict(answer.ok, answer.details || []);
    return answer.ok;
  } catch (error) {
    if (mine === turn) fault(error);
    return false;
  }
}

function fault(error) {
  number(error.details || []);
  put(parts.verdict, refusal(error));
  set(parts.area, { "aria-invalid": "true" });
}

function verdict(ok, details) {
  number(ok ? [] : details);
  set(parts.area, { "aria-invalid": ok ? null : "true" });
  const lines = details.length ? el("ul", {}, ...details.map((line) => el("li", {}, line))) : null;
  put(parts.verdict, el("div", { class: ok ? "quiet" : "failed" }, el("p", {}, ok ? "Can be applied." : "This would be refused:"), lines));
}

/** The lines of a problem, `file:LINE…`; of text without a line nothing is marked. */
export const linesOf = (details) => new Set(details.map((each) => Number(/^[^\s:]*:(\d+)/.exec(each)?.[1] || /\bline (\d+)/.exec(each)?.[1])).filter(Boolean));

function number(details) {
  const lines = parts.area.value.split("\n").length;
  const wrong = new Set([...linesOf(details)].map((line) => Math.min(line, lines))); // an end that came too early is behind the last
  put(parts.gutter, ...Array.from({ length: lines }, (_, index) => el("span", { class: wrong.has(index + 1) ? "wrong" : "" }, wrong.has(index + 1) ? `✕ ${index + 1}` : String(index + 1))));
  parts.gutter.scrollTop = parts.area.scrollTop;
}

async function applied() {
  clearTimeout(timer);
  turn++;
  if (parts.apply.getAttribute("aria-disabled")) return;
  const written = parts.area.value;
  if (!(await validate())) return void put(parts.out, el("p", { class: "failed" }, "Refused. Nothing was changed."));
  const answer = await doing(parts.apply, parts.out, "apply", { yaml: written });
  if (!answer) return;
  if (answer.ok) parts.known = parts.area.value === written ? written : parts.known;
  verdictless();
  await load();
}

function verdictless() {
  put(parts.verdict);
  set(parts.area, { "aria-invalid": null });
}

async function deleted() {
  const gone = object();
  if (!gone || (!clean() && !thrownAway())) return;
  const answer = await doing(parts.remove, parts.out, "delete", { kind: gone.kind, namespace: gone.namespace, name: gone.name });
  if (!answer) return;
  parts.area.value = parts.known = "";
  await load();
  parts.select.focus();
}
