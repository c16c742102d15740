// The services: how base shares its calls among the versions, and the instances, which can be killed and started.

import { doing, outcome } from "./doing.js";
import { byId, el, put, reconcile, set, show, text } from "./dom.js";
import { faultForm } from "./faults.js";
import { mayCall } from "./layout.js";
import { faultList } from "./standing.js";
import { get, mayKill, watch, writable } from "./store.js";
import { full, rebalanced, same } from "./weights.js";

const place = byId("services");

/** Show them, and what changes of them. */
export function start() {
  watch("rules", called);
  watch("mesh", (mesh) => {
    const plane = mesh.control_plane || {};
    const control = { name: "control plane", versions: [], base: null, why_not: "", control: true,
      instances: [{ name: "controlplane", version: "", phase: plane.phase, state: plane.phase, address: plane.address, pid: null, startable: true }] };
    reconcile(place, [...mesh.services, ...(plane.phase ? [control] : [])], (service) => `${writable()} ${mayKill()} ${service.name}`, makeCard, updateCard);
    called();
  });
}

/** What no client of the mesh calls cannot be broken on the way there. */
function called() {
  const names = (get("mesh")?.services || []).map((service) => service.name);
  const callees = new Set(mayCall(get("rules"), names).map(([, callee]) => callee));
  for (const card of place.children) if (card.fault) show(card.fault, callees.has(card.fault.dataset.service));
}

function makeCard(service) {
  const card = el("li", { class: "service", id: `service-${service.name}` }, el("h3", {}, service.name));
  card.weights = service.control ? el("p", { class: "quiet" }, "Without it the rules stay as they are; calls go on.") : el("div", { class: "weights" });
  card.instances = el("ul", { class: "instances" });
  card.standing = faultList();
  card.said = outcome();
  card.append(card.standing.node, card.said, card.weights, card.instances);
  if (writable() && !service.control) card.append((card.fault = faultForm(service.name)));
  return card;
}

function updateCard(card, service) {
  if (!service.control) updateWeights(card, service);
  card.standing.update(service, card.said);
  reconcile(card.instances, service.instances, (instance) => instance.name, makeInstance, updateInstance);
}

function updateWeights(card, service) {
  const place = card.weights;
  if (service.base === null) {
    place.form = undefined;
    return put(place, service.why_not ? el("p", { class: "quiet" }, service.why_not) : null);
  }
  if (!writable()) {
    const shares = Object.entries(service.base).map(([version, weight]) => `${version} ${weight} %`).join(", ");
    return put(place, el("p", {}, `Base: ${shares}`));
  }
  const versions = Object.keys(full(service)).join();
  if (!place.form || place.form.versions !== versions) {
    place.form = weightForm(service);
    place.form.versions = versions;
    put(place, place.form.node);
  }
  place.form.update(service);
}

function weightForm(service) {
  let inForce = full(service);
  let wanted = inForce;
  const out = outcome();
  const rows = Object.keys(wanted).map((version) => {
    const label = `${service.name} ${version}, percent of base`;
    const slide = el("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": `${label}, slider` });
    const number = el("input", { type: "number", min: 0, max: 100, step: 1, "aria-label": label });
    const change = (event) => {
      wanted = rebalanced(wanted, version, event.target.value);
      draw(event.target);
    };
    slide.addEventListener("input", change);
    number.addEventListener("input", change);
    number.addEventListener("change", () => draw());
    return { version, slide, number, node: el("div", { class: "weight" }, el("span", {}, version), slide, number) };
  });
  const apply = el("button", { class: "small main" }, "Shift");
  const back = el("button", { type: "button", class: "small", onclick: () => {
    wanted = inForce;
    draw();
    rows[0].slide.focus();
  } }, "Leave as it is");
  const tools = el("div", { class: "tools" }, apply, back);
  const form = el("form", { novalidate: true }, el("p", { class: "quiet" }, "Base's calls, in percent"), ...rows.map((row) => row.node), tools, out);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await doing(apply, out, "weights", { service: service.name, weights: wanted });
    if (answer?.ok) inForce = wanted;
    draw();
  });
  function draw(except) {
    for (const row of rows) {
      if (row.slide !== except) row.slide.value = wanted[row.version];
      if (row.number !== except) row.number.value = wanted[row.version];
      set(row.slide, { "aria-valuetext": `${wanted[row.version]} %` });
    }
    show(tools, !same(wanted, inForce));
  }
  draw();
  return { node: form, update(fresh) {
    const now = full(fresh);
    if (same(now, inForce)) return;
    const untouched = same(wanted, inForce);
    inForce = now;
    if (untouched) wanted = now;
    draw(form.contains(document.activeElement) ? document.activeElement : undefined);
  } };
}

function isDoor(instance) {
  const page = get("mesh")?.page;
  return Boolean(page) && new URL(page, location.href).host === instance.address;
}

function makeInstance(instance) {
  const node = el("li", {}, el("span", { class: "mark" }), el("span", { class: "who" }), el("span", { class: "quiet" }));
  if (mayKill()) {
    const out = outcome();
    const button = el("button", { type: "button", class: "small", onclick: () => doing(button, out, node.verb, { name: instance.name }) });
    node.button = button;
    node.append(button, out);
  }
  return node;
}

function updateInstance(node, instance) {
  const up = ["ready", "starting", "draining"].includes(instance.phase);
  const never = instance.phase === "stopped";
  const ready = instance.phase === "ready";
  set(node, { class: ready ? "ready" : never ? "off" : "down" });
  text(node.children[0], ready ? "✓" : never ? "○" : "✕");
  text(node.children[1], instance.name);
  text(node.children[2], instance.state || instance.phase || "unknown");
  set(node.children[2], { title: instance.address || null });
  if (!node.button) return;
  const door = isDoor(instance); // the way to this very page
  node.verb = up ? "kill" : "start";
  text(node.button, up ? "Kill" : "Start");
  set(node.button, { "aria-label": `${up ? "Kill" : "Start"} ${instance.name}` });
  show(node.button, up ? !door : instance.startable);
}
