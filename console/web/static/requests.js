// The last requests: filtered, held still while somebody reads, one of them open.

import { chosen, choose } from "./chosen.js";
import { byId, el, put, reconcile, set, show, text } from "./dom.js";
import { opened, open } from "./opened.js";
import { MOST_REQUESTS, watch } from "./store.js";
import { clock, count, ended, failed, hue, ms, outcomeOf, partly } from "./words.js";

const body = byId("request-rows");
const room = byId("request-room");
const form = byId("request-filters");
const pause = byId("request-pause");
let all = [];
let shown = [];
let still = false;

/** Show them, and those that come. */
export function start() {
  watch("requests", (requests) => {
    all = requests;
    if (!still) shown = all;
    draw();
  });
  watch("lanes", draw);
  document.addEventListener("chosen", () => {
    options();
    if (form.lane.value !== chosen()) form.lane.value = chosen();
    draw();
  });
  document.addEventListener("opened", draw);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    if (event.target === form.lane) choose(form.lane.value, false);
    draw();
  });
  pause.addEventListener("click", () => {
    still = !still;
    set(pause, { "aria-pressed": String(still) });
    if (!still) shown = all;
    draw();
  });
  body.addEventListener("keydown", walk);
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row && !getSelection().toString()) open(row.dataset.trace, event.target.closest("button") !== null);
  });
  show(form, true);
}

/** A request as the list has it, held still or not; undefined where it is in neither. */
export const listed = (trace) => [...shown, ...all].find((request) => request.trace_id === trace);

/** Whether a request is one that the filters ask for. Pure. */
export function fits(request, wanted) {
  if (wanted.lane && request.lane !== wanted.lane) return false;
  if (wanted.user && !request.user.toLowerCase().includes(wanted.user.toLowerCase())) return false;
  if (wanted.status === "failed") return failed(request);
  if (wanted.status === "well") return !failed(request) && !partly(request);
  if (wanted.status === "partly") return partly(request);
  return true;
}

function options() {
  const lanes = [...new Set([...all.map((request) => request.lane), chosen()])].filter(Boolean).sort();
  const names = [...new Set(["base", ...lanes])];
  if (form.lane.shape === names.join()) return;
  form.lane.shape = names.join();
  const before = form.lane.value;
  form.lane.replaceChildren(el("option", { value: "" }, "all"), ...names.map((name) => el("option", { value: name }, name)));
  form.lane.value = before && names.includes(before) ? before : chosen();
}

function draw() {
  options();
  const wanted = { lane: form.lane.value, user: form.user.value.trim(), status: form.status.value };
  const found = shown.filter((request) => fits(request, wanted));
  const [before, top] = [room.scrollHeight, room.scrollTop];
  reconcile(body, found, (request) => request.trace_id, makeRow, updateRow);
  if (top > 0) room.scrollTop = top + Math.max(0, room.scrollHeight - before);
  const active = body.querySelector("button:focus") || body.querySelector("tr[aria-current] button") || body.querySelector("button");
  for (const button of body.querySelectorAll("button")) set(button, { tabindex: button === active ? 0 : -1 });
  const waiting = still ? all.filter((request) => !shown.some((other) => other.trace_id === request.trace_id)).length : 0;
  const news = waiting ? ` (${waiting}${waiting >= MOST_REQUESTS ? " or more" : ""} new)` : "";
  text(pause, still ? `Go on${news}` : "Hold still");
  text(byId("request-count"), found.length === shown.length ? count(found.length, "request") : `${found.length} of ${count(shown.length, "request")}`);
  const empty = byId("no-requests");
  show(empty, found.length === 0);
  text(empty, shown.length ? "No request fits these filters." : "No request has come in yet.");
}

function makeRow(request) {
  const button = el("button", { type: "button", class: "link" }, clock(request.start));
  const row = el("tr", { "data-trace": request.trace_id }, el("td", {}, button));
  for (const kind of ["which", "what", "chain", "status", "number"]) row.append(el("td", { class: kind }));
  return row;
}

function updateRow(row, request) {
  set(row, { "aria-current": request.trace_id === opened() ? "true" : null });
  const shape = JSON.stringify(request);
  if (row.shape === shape) return;
  row.shape = shape;
  const cells = row.children;
  set(cells[0].firstChild, { "aria-label": `Open the request of ${clock(request.start)} in lane ${request.lane}` });
  put(cells[1], el("span", { class: `tag ${hue(request.hue)}` }, request.lane));
  put(cells[2], el("div", { title: `${request.method} ${request.path}` }, `${request.method} ${request.path}`), request.user ? el("div", { class: "quiet" }, `user ${request.user}`) : null);
  put(cells[3], ...chain(request));
  set(cells[4], { class: failed(request) ? "status bad" : partly(request) ? "status partly" : "status" });
  set(cells[4], { title: outcomeOf(request) });
  put(cells[4], `${failed(request) ? "✕ " : partly(request) ? "◐ " : ""}${ended(request)}`, partly(request) ? el("div", {}, "in part") : null);
  text(cells[5], ms(request.duration_ms));
}

/** Who served it, in the colour of the lane where that has its own. */
function chain(request) {
  return request.hops.map((hop) =>
    el("span", { class: `hop ${hop.own ? hue(request.hue) : "hue-base"}${hop.error ? " broken" : hop.own ? " own" : ""}`,
      title: hop.error || (hop.own ? `lane ${hop.lane}` : "base") }, `${hop.error ? "✕ " : ""}${hop.service} ${hop.version}`.trim()));
}

function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const buttons = [...body.querySelectorAll("button")];
  const next = buttons[buttons.indexOf(document.activeElement) + step];
  if (!next) return;
  for (const button of buttons) set(button, { tabindex: button === next ? 0 : -1 });
  next.focus();
}
