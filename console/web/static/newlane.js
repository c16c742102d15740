// The form that creates a lane: its name, and for each service a version of its own or base's.

import { choose } from "./chosen.js";
import { doing, outcome } from "./doing.js";
import { byId, el, put, text } from "./dom.js";
import { send } from "./sending.js";
import { get, watch, writable } from "./store.js";

const place = byId("new-lane");
let offered = "";

/** Offer it, as soon as it is known which services there are and that lanes may be made. */
export function start() {
  watch("mesh", draw);
  watch("lanes", first);
  watch("lanes", hinted);
}

/** Where there is no lane yet, creating one comes first. */
function first() {
  place.querySelector("summary")?.classList.toggle("main", (get("lanes")?.lanes || []).length === 0);
}

function hinted() {
  const hint = byId("lane-name-hint");
  if (hint) text(hint, entrance(get("lanes")?.key || "env", byId("lane-name").value.trim() || "NAME"));
}

function draw(mesh) {
  const shape = JSON.stringify([writable(), mesh.services.map((service) => [service.name, service.versions])]);
  if (shape === offered) return; // a form is not taken from under somebody's hands
  offered = shape;
  if (!writable()) return put(place);
  const out = byId("lanes-said");
  const name = el("input", { id: "lane-name", name: "name", required: true, maxlength: 63, autocomplete: "off", spellcheck: "false",
    "aria-describedby": "lane-name-hint", placeholder: "dev" });
  const services = mesh.services.filter((service) => service.versions.length > 1);
  const button = el("button", { class: "main" }, "Create the lane");
  const problem = outcome();
  const form = el("form", { class: "stack", novalidate: true },
    el("label", {}, "Name", name), el("small", { class: "quiet", id: "lane-name-hint" }),
    ...services.map(choices),
    modes(),
    button, problem);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const made = name.value.trim();
    const versions = picked(form, services);
    if (!made) return complain(problem, "A lane needs a name.", name);
    if (!Object.keys(versions).length) return complain(problem, "Choose a version of its own for at least one service.", form.querySelector("[type=radio]"));
    put(problem);
    const answer = await doing(button, problem, "lane-create", { name: made, versions, mode: form.querySelector("[name=mode]:checked").value });
    if (!answer?.ok) return;
    put(problem);
    put(out, next(answer.action, made));
    form.reset();
    details.open = false;
    choose(made, false);
  });
  const details = el("details", {}, el("summary", { class: "button" }, "Create a lane"), form);
  put(place, details);
  name.addEventListener("input", hinted);
  hinted();
  first();
}

function complain(where, words, field) {
  put(where, el("p", { class: "failed" }, words));
  field?.focus();
}

/** What becomes of a call to a service of which the lane has no version. */
function modes() {
  const radio = (value, words, checked) => el("label", { class: "tick" }, el("input", { type: "radio", name: "mode", value, checked }), words);
  return el("fieldset", { class: "modes" }, el("legend", {}, "Where the lane has nobody"),
    radio("permissive", "base stands in (permissive)", true), radio("strict", "the call fails (strict)", false));
}

/** How a request gets into a lane. Pure. */
export const entrance = (key, name) => `Requests with the header baggage: ${key}=${name} are in it.`;

function choices(service) {
  const radio = (value, words) => el("label", { class: "pill" },
    el("input", { type: "radio", name: `version-${service.name}`, value, checked: value === "" }), el("span", {}, words));
  return el("fieldset", { class: "pills" }, el("legend", {}, service.name), radio("", "base's"),
    ...service.versions.map((version) => radio(version, version)));
}

function picked(form, services) {
  const versions = {};
  for (const service of services) {
    const value = form.querySelector(`[name="version-${CSS.escape(service.name)}"]:checked`)?.value;
    if (value) versions[service.name] = value;
  }
  return versions;
}

function next(action, made) {
  const took = action.milliseconds === null ? "" : ` after ${action.milliseconds.toFixed(0)} ms`;
  const out = outcome();
  const button = el("button", { type: "button", class: "main", onclick: () => send(button, out, { lane: made }) },
    `Send a request in ${made}`);
  return el("div", { class: "done" }, el("p", {}, `Lane ${made} is in force${took}.`), button, out);
}
