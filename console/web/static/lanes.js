// The lanes: a card each, with who is in it, who stands in, and its share of the requests.

import { choose, chosen } from "./chosen.js";
import { doing, outcome } from "./doing.js";
import { byId, el, put, reconcile, set, show, svg, text } from "./dom.js";
import { send } from "./sending.js";
import { laneFaults } from "./standing.js";
import { watch, writable } from "./store.js";
import { count, hue, list, percent } from "./words.js";

const cards = byId("lane-cards");

/** Show them, and what changes of them. */
export function start() {
  watch("lanes", draw);
  watch("mesh", () => {
    for (const card of cards.children) if (card.parts) laneFaults(card.parts.faults, card.dataset.name);
  });
  document.addEventListener("chosen", mark);
}

function draw(section) {
  const base = { name: "base", hue: "base", mode: "", versions: {}, members: [], fallback: [], door: [], requests: section.base.calls, share: section.base.share };
  reconcile(cards, [base, ...section.lanes], (lane) => lane.name, makeCard, updateCard);
  show(byId("no-lanes"), section.lanes.length === 0);
  mark();
}

function makeCard(lane) {
  const parts = { look: el("button", { type: "button", class: "look", onclick: () => choose(lane.name) }, el("span", { class: "dot" }), el("b", {}, lane.name)) };
  parts.mode = el("span", { class: "quiet" });
  parts.share = svg("rect", { class: "span", height: 10 });
  parts.figures = el("span", { class: "quiet" });
  parts.members = el("ul", { class: "members" });
  parts.faults = el("ul", { class: "plain bad lane-faults" });
  parts.words = el("p", { class: "quiet" });
  parts.door = el("p", { class: "quiet" });
  parts.out = outcome();
  parts.tools = el("div", { class: "tools" });
  const bar = svg("svg", { class: "bar", viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "room", width: 1000, height: 10 }), parts.share);
  const card = el("li", { class: `lane ${hue(lane.hue)}`, "data-name": lane.name },
    el("div", { class: "headline" }, parts.look, parts.mode, parts.figures), bar, parts.members, parts.faults, parts.words, parts.door, parts.tools, parts.out);
  card.parts = parts;
  return card;
}

function updateCard(card, lane) {
  const { parts } = card;
  const base = lane.name === "base";
  text(parts.mode, base ? "where no lane has a version of its own" : lane.expires ? `${lane.mode}, until ${lane.expires}` : lane.mode);
  text(parts.figures, `${count(lane.requests, "request")}, ${percent(lane.share)}`);
  set(parts.share, { width: Math.round(lane.share * 1000) });
  reconcile(parts.members, lane.members, (member) => `${member.service}/${member.name}`, () => el("li"), (node, member) => {
    set(node, { class: member.ready ? "ready" : "down" });
    text(node, `${member.service} ${member.version} ${member.ready ? "✓ ready" : `✕ ${member.state}`}`);
    set(node, { title: member.name });
  });
  laneFaults(parts.faults, lane.name);
  text(parts.words, base ? "" : standIns(lane));
  text(parts.door, lane.door.length ? `Enters at the door: ${list(lane.door)}.` : "");
  if (!base && writable() && !parts.tools.firstChild) tools(card, lane);
  if (!writable()) put(parts.tools);
}

function standIns(lane) {
  const missing = Object.entries(lane.versions).filter(([service]) => !lane.members.some((member) => member.service === service));
  const none = missing.length ? `Nobody runs ${list(missing.map(([service, version]) => `${service} ${version}`))}. ` : "";
  if (lane.mode === "strict") return `${none}Strict: where it has nobody, ${lane.fallback.length ? `as for ${list(lane.fallback)}, ` : ""}a call fails.`;
  return lane.fallback.length ? `${none}Base stands in for ${list(lane.fallback)}.` : `${none}Every service has its own version here.`;
}

function tools(card, lane) {
  const { tools: place, out } = card.parts;
  const button = el("button", { type: "button", class: "small", onclick: () => send(button, out, { lane: lane.name }) }, "Send a request");
  const remove = el("button", { type: "button", class: "small", onclick: () => doing(remove, byId("lanes-said"), "lane-delete", { name: lane.name }) }, "Delete");
  set(button, { "aria-label": `Send a request in lane ${lane.name}` });
  set(remove, { "aria-label": `Delete lane ${lane.name}` });
  put(place, button, remove);
}

function mark() {
  for (const card of cards.children) {
    set(card.querySelector(".look"), { "aria-pressed": String(card.dataset.name === chosen()) });
  }
}
