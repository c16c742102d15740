// One request opened: when each of its parts was under way, and what was tried on the way.

import { path, read } from "./api.js";
import { refusal } from "./doing.js";
import { byId, el, put, set, svg } from "./dom.js";
import { listed } from "./requests.js";
import { told } from "./kept.js";
import { opened, open } from "./opened.js";
import { MOST_REQUESTS } from "./store.js";
import { whyOf } from "./why.js";
import { count, failed, hue, ms, outcomeOf, partly, shortly } from "./words.js";

const place = byId("opened");
const PATIENCE = 4000;
let turn = 0;

/** Show what is open, and what is opened. */
export function start() {
  document.addEventListener("opened", (event) => draw(event.detail.go));
  byId("opened-card").hidden = false;
  draw(false);
}

async function draw(go) {
  const mine = ++turn;
  const trace = opened();
  if (!trace) return put(place, el("p", { class: "quiet" }, "Choose a request to see how it went and why."));
  set(place, { "aria-busy": "true" });
  if (go) intoView();
  try {
    if (!listed(trace)) await told(trace, PATIENCE);
    if (mine !== turn) return;
    const found = await read(path("requests", trace));
    if (mine !== turn) return;
    put(place, ...whole(found));
  } catch (error) {
    if (mine === turn) put(place, ...(error.status === 404 ? gone(listed(trace)) : [heading("This request"), refusal(error)]));
  } finally {
    if (mine === turn) set(place, { "aria-busy": null });
  }
  if (!go || mine !== turn) return;
  place.querySelector("h3")?.focus({ preventScroll: true });
  intoView();
}

/** Bring the top of what is open into view, where it is not. */
function intoView() {
  const card = byId("opened-card");
  const { top } = card.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) card.scrollIntoView({ block: "start" });
}

/** A request that the console keeps no more: what the list still says of it. */
function gone(request) {
  const words = `It is too old: the console keeps the last ${MOST_REQUESTS} requests, and this is no more among them, so its calls cannot be shown.`;
  if (!request) return [heading("This request"), el("p", { class: "note" }, words)];
  const hops = request.hops.map((hop) => el("li", { class: hop.error ? "bad" : "" }, `${hop.service} ${hop.version}${hop.error ? `: ${shortly(hop.error)}` : ""}`));
  return [...head(request), el("p", { class: "note" }, words), el("p", {}, "Served by"), el("ul", { class: "plain" }, ...hops)];
}

const heading = (words) => el("h3", { tabindex: -1 }, words);

function head(request) {
  const close = el("button", { type: "button", class: "small", onclick: () => open("") }, "Close");
  const user = request.user ? `, user ${request.user}` : "";
  const state = el("p", { class: failed(request) || partly(request) ? "bad" : "" }, `${partly(request) ? "◐ " : ""}${outcomeOf(request)}; took ${ms(request.duration_ms)}${user}`);
  return [el("div", { class: "headline" }, heading(`${request.method} ${request.path}`), el("span", { class: `tag ${hue(request.hue)}` }, request.lane), state, close)];
}

function whole({ request, spans }) {
  const total = Math.max(request.duration_ms, ...spans.map((span) => span.start_ms + span.duration_ms), 0.001);
  return [
    ...head(request),
    el("ol", { class: "waterfall" }, ...spans.map((span) => row(request, spans, span, total))),
    el("p", { class: "quiet trace" }, `trace ${request.trace_id}`),
  ];
}

function depthOf(spans, span) {
  let depth = 0;
  const seen = new Set();
  for (let at = span; at && !seen.has(at.span_id); at = spans.find((other) => other.span_id === at.parent)) {
    seen.add(at.span_id);
    depth++;
  }
  return Math.min(depth - 1, 9);
}

function row(request, spans, span, total) {
  const calls = span.kind === "CLIENT";
  const why = el("div", { class: "why", id: `why-${span.span_id}` });
  why.toggleAttribute("hidden", true);
  const words = `${span.service} ${span.version}`;
  const ask = span.explainable
    ? el("button", { type: "button", class: "small", "aria-expanded": "false", "aria-controls": why.id,
      "aria-label": `Why this call of ${words} went where it went: ${span.name}`, onclick: () => toggle(ask, why, request, span) }, "Why?")
    : null;
  return el("li", { class: `${hue(span.hue)} depth-${depthOf(spans, span)}${calls ? " calls" : ""}${span.error ? " failed-span" : ""}` },
    el("div", { class: "span" },
      el("span", { class: "who", title: span.instance }, el("b", {}, words), el("span", { class: "quiet" }, ` ${calls ? "calls " : ""}${leaf(span.name)}`)),
      bar(span, total), el("span", { class: "took" }, ms(span.duration_ms)), ask),
    span.error ? el("p", { class: "bad" }, span.error.includes(span.code) ? span.error : `${span.code}: ${span.error}`) : null,
    attempts(span), why);
}

const leaf = (name) => name.split("/").slice(-2).join("/").replace(/^bookinfo\.v1\./, "");

function bar(span, total) {
  const start = Math.max(0, Math.min((span.start_ms / total) * 1000, 994));
  const width = Math.max(6, Math.min((span.duration_ms / total) * 1000, 1000 - start));
  const marks = span.attempts.slice(1).map((attempt) => {
    const at = Math.min(start + (attempt.after_ms / total) * 1000, 998);
    return svg("rect", { class: "again", x: at.toFixed(1), width: 3, height: 10 });
  });
  return svg("svg", { class: "bar", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "room", width: 1000, height: 10 }),
    svg("rect", { class: "span", x: start.toFixed(1), width: width.toFixed(1), height: 10 }), ...marks);
}

function attempts(span) {
  if (!span.attempts.length) return null;
  const tried = span.attempts.map((attempt) =>
    el("li", { class: attempt.failed ? "bad" : "" },
      `${attempt.failed ? "✕ " : ""}${attempt.endpoint || "nobody"}${attempt.route ? `, by rule ${attempt.route}` : ""}`,
      span.attempts.length > 1 ? ` after ${ms(attempt.after_ms)}` : "", attempt.failed ? `: ${attempt.failed}` : ""));
  const name = span.attempts.length > 1 ? `${count(span.attempts.length, "attempt")}` : "To";
  return el("div", { class: "attempts quiet" }, el("span", {}, name), el("ol", {}, ...tried));
}

async function toggle(button, why, request, span) {
  const opening = why.hidden;
  set(button, { "aria-expanded": String(opening) });
  why.hidden = !opening;
  if (!opening) return;
  put(why, el("p", { class: "quiet" }, "Asking the client that made the call…"));
  try {
    put(why, whyOf(await read(path("requests", request.trace_id, "hops", span.span_id, "why")), span));
  } catch (error) {
    put(why, refusal(error));
  }
}
