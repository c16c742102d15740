// The faults in force: in words for a service and for a lane, and the way to take one away.

import { doing } from "./doing.js";
import { el, put, reconcile, set, show, text } from "./dom.js";
import { get, writable } from "./store.js";

/** The faults on the way to a service, as the console tells them; none where it does not. Pure. */
export const faultsOf = (service) => service?.faults || [];

/** Whose calls a fault meets. Pure. */
const whose = (lane) => (lane === "" ? "everybody's calls" : lane === "base" ? "base's calls" : `calls of lane ${lane}`);

const harm = (fault) =>
  [fault.delay_ms ? `delayed by ${fault.delay_ms} ms` : "", fault.abort ? `aborted with ${fault.abort}` : ""].filter(Boolean).join(" and ");

/** What a fault does, in words. Pure. */
export const faultWords = (fault) => `${whose(fault.lane)}: ${harm(fault)}, ${fault.percent} %`;

/** What is broken for a lane, each with its service. Pure. */
export function faultsFor(lane, services) {
  return services.flatMap((service) => faultsOf(service).filter((fault) => fault.lane === lane || fault.lane === "")
    .map((fault) => `calls to ${service.name} are ${harm(fault)}, ${fault.percent} %`));
}

/** Whether a form for this service and lane has a fault to take away; where none are told, there may be one. Pure. */
export const clearable = (service, lane) =>
  service?.faults === undefined || service.faults.some((fault) => lane === "" || fault.lane === "" || fault.lane === lane);

/** The list of them on a service's card. */
export function faultList() {
  const rows = el("ul", { class: "plain" });
  const node = el("div", { class: "standing failed", hidden: true }, el("b", {}, "Broken on purpose"), rows);
  return { node, update(service, out) {
    show(node, faultsOf(service).length > 0);
    reconcile(rows, faultsOf(service), (fault) => `${fault.lane} ${faultWords(fault)}`, (fault) => makeRow(service.name, fault, out));
  } };
}

function makeRow(service, fault, out) {
  const row = el("li", {}, el("span", {}, `✕ ${faultWords(fault)}`));
  if (!writable()) return row;
  const button = el("button", { type: "button", class: "small", onclick: () => doing(button, out, "clear-fault", { service, lane: fault.lane }) }, "Take it away");
  set(button, { "aria-label": `Take it away: ${faultWords(fault)}, to ${service}` });
  row.append(button);
  return row;
}

/** What is broken for a lane, on its card. */
export function laneFaults(place, lane) {
  const found = faultsFor(lane, get("mesh")?.services || []);
  const shape = found.join("\n");
  if (place.shape === shape) return;
  place.shape = shape;
  put(place, ...found.map((words) => text(el("li"), `✕ ${words}`)));
}
