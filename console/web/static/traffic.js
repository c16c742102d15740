// Sending requests, one by one or steadily.

import { chosen } from "./chosen.js";
import { doing, outcome } from "./doing.js";
import { byId, el, put, show, text } from "./dom.js";
import { laneOptions } from "./faults.js";
import { get, watch, writable } from "./store.js";
import { list, rate } from "./words.js";
import { send } from "./sending.js";

const place = byId("traffic");
const out = outcome();
let controls = null;

/** Offer it, where requests may be sent. */
export function start() {
  watch("mesh", draw);
  watch("lanes", (section) => {
    if (controls && laneOptions(controls.lane, section, "") && chosen()) controls.lane.value = chosen();
    if (get("mesh")) draw(get("mesh"));
  });
  watch("topology", quiet);
  watch("requests", quiet);
  document.addEventListener("chosen", () => {
    if (controls && chosen()) controls.lane.value = chosen();
  });
}

function quiet() {
  const silent = !(get("topology")?.edges.length);
  show(byId("quiet"), silent);
}

function draw(mesh) {
  quiet();
  if (!writable()) {
    controls = null;
    return put(place);
  }
  if (!controls) make();
  const running = mesh.traffic?.rate || 0;
  const lanes = Object.keys(mesh.traffic?.lanes || {});
  const without = (get("lanes")?.lanes || []).filter((lane) => !lanes.includes(lane.name));
  if (running) controls.was = true;
  else if (controls.was) {
    controls.was = false;
    controls.ended = !controls.stopped;
  }
  const last = controls.ended ? "It has stopped: it does so by itself when nobody has watched for a minute." : shares(wantedLanes());
  text(controls.state, running ? `steady traffic: ${rate(running)} in ${list(lanes)}, ${shares(mesh.traffic.lanes)}` : last);
  show(controls.stop, running > 0);
  text(controls.steady, !running ? "Steady traffic" : without.length ? `Into ${list(without.map((lane) => lane.name))} as well` : "Change");
}

/** How requests are shared out: numbers are shares, not requests. Pure. */
export function shares(lanes) {
  const parts = Object.entries(lanes);
  const all = parts.reduce((sum, [, share]) => sum + share, 0);
  return parts.length < 2 ? `all in ${parts[0]?.[0] || "base"}` : `of every ${all} requests ${list(parts.map(([lane, share]) => `${share} in ${lane}`))}`;
}

function wantedLanes() {
  const lanes = { base: 4 };
  for (const lane of get("lanes")?.lanes || []) lanes[lane.name] = 1;
  return lanes;
}

function make() {
  const lane = el("select", { id: "send-lane" });
  laneOptions(lane, get("lanes"), "");
  const user = el("input", { id: "send-user", placeholder: "nobody", maxlength: 64, autocomplete: "off", size: 9 });
  const number = el("input", { type: "number", id: "send-count", min: 1, max: 50, value: 1 });
  const pace = el("input", { type: "number", id: "send-rate", min: 1, max: 50, value: 5 });
  const button = el("button", { class: "main" }, "Send a request");
  number.addEventListener("input", () => text(button, Number(number.value) > 1 ? `Send ${Number(number.value)} requests` : "Send a request"));
  const sending = el("form", { class: "row", novalidate: true, "aria-label": "Send requests" }, el("b", {}, "Send now"),
    el("label", {}, "Lane", lane), el("label", {}, "User", user), el("label", {}, "How many", number), button);
  sending.addEventListener("submit", (event) => {
    event.preventDefault();
    sent(button);
  });
  const keep = el("button", {}, "Steady traffic");
  const stop = el("button", { type: "button", onclick: () => steady(stop, 0) }, "Stop");
  const state = el("span", { class: "quiet", role: "status" });
  const going = el("form", { class: "row", novalidate: true, "aria-label": "Steady traffic" }, el("b", {}, "Keep sending, in all lanes"),
    el("label", {}, "Requests a second", pace), keep, stop, state);
  going.addEventListener("submit", (event) => {
    event.preventDefault();
    steady(keep, Number(pace.value));
  });
  controls = { lane, user, number, steady: keep, stop, state };
  put(place, sending, going, out);
}

/** Send what the form says. */
const sent = (button) => send(button, out, {
  lane: controls.lane.value || "base", user: controls.user.value.trim(), count: Number(controls.number.value) || 1,
});

/** Traffic of base, and a part in each lane. */
function steady(button, wanted) {
  controls.stopped = wanted === 0;
  controls.ended = false;
  return doing(button, out, "traffic", { rate: wanted, lanes: wantedLanes() });
}
