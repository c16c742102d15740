// Why a call went where it went: in sentences first, then the rules in the order they were tried.

import { el } from "./dom.js";

/** The answer of the console about a hop, for people. */
export function whyOf(why) {
  const parts = [el("ol", { class: "says" }, ...why.says.map((sentence) => el("li", {}, sentence)))];
  const now = why.now || {};
  if ((now.steps || []).length) parts.push(steps(now));
  parts.push(compared(why, now));
  parts.push(asked(why));
  return el("div", {}, ...parts);
}

function steps(now) {
  const tried = now.steps.map((step) => el("li", {}, step.replace(/^route /, "rule "))); // one word for it on this page
  return el("details", { open: now.steps.length <= 6 }, el("summary", {}, `The rules, in the order they are tried (${now.steps.length})`), el("ol", { class: "steps" }, ...tried));
}

function compared(why, now) {
  const then = why.then || {};
  const route = now.route ? now.route.name || `#${now.route.index}` : now.error || "none";
  const rows = [
    ["rule", then.route || "–", route],
    ["cluster", then.cluster || "–", drawn(now)],
    ["endpoint", then.endpoint || "–", (now.endpoints || []).join(", ") || "none that can be used"],
  ];
  const table = el("table", {}, el("thead", {}, el("tr", {}, ...["What", "as it went", "as it would go now"].map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, ...rows.map(([name, was, is]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, was), el("td", {}, is)))));
  const heading = why.same ? "As it went, and as it would go now" : "It would go another way now";
  return el("details", { class: why.same ? "" : "differs", open: !why.same }, el("summary", {}, heading), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Then and now" }, table));
}

function drawn(now) {
  const clusters = Object.entries(now.clusters || {});
  if (clusters.length < 2) return now.cluster || "none";
  return clusters.map(([name, weight]) => `${name} (weight ${weight})`).join(" or ");
}

function asked(why) {
  const lines = [`${why.client} → ${why.target}`, why.method, ...why.metadata.map(([name, value]) => `${name}: ${value}`)];
  return el("details", {}, el("summary", {}, "The call, as the rules see it"),
    el("pre", { tabindex: 0, role: "region", "aria-label": "The call, as the rules see it" }, lines.join("\n")));
}
