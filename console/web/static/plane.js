// Whether the control plane runs: without it calls go on by the last rules, and no rule can be changed.

import { doing, outcome } from "./doing.js";
import { byId, el, put, set, show } from "./dom.js";
import { get, mayKill, watch } from "./store.js";

const place = byId("plane");

/** Whether it is known that rules cannot be changed just now. */
export const planeless = () => !["ready", undefined].includes(get("mesh")?.control_plane?.phase);

/** What to do about it, for the end of a sentence. */
export const remedy = () => (mayKill() ? "Start it with the button at the top of the page." : "It has to be started first.");

/** Say at the top of the page where it does not run. */
export function start() {
  watch("mesh", (mesh) => {
    const phase = mesh.control_plane?.phase;
    const shape = planeless() ? `${phase} ${mayKill()}` : "";
    show(place, planeless());
    if (place.shape === shape) return;
    place.shape = shape;
    if (shape) put(place, ...words(phase));
    else put(place);
  });
}

function words(phase) {
  if (phase === "starting") return [el("p", {}, "The control plane is starting. Until it is ready, calls go on by the last rules.")];
  const state = phase === "unknown" ? "No process is connected to a control plane." : "The control plane does not run.";
  const said = el("p", {}, el("b", {}, state), " Calls go on by the last rules; no rule, weight, lane or fault can be changed until it is started.");
  if (!mayKill()) return [said];
  const out = outcome();
  const button = el("button", { type: "button", class: "main", onclick: () => doing(button, out, "start", { name: "controlplane" }) }, "Start it");
  set(button, { "aria-label": "Start it: the control plane" });
  return [said, button, out];
}
