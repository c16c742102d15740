// Breaking something on purpose: a delay or an abort on the way to a service, for a lane or for everybody.

import { doing, outcome } from "./doing.js";
import { el, put, set, show } from "./dom.js";
import { clearable } from "./standing.js";
import { get, watch } from "./store.js";

const CODES = ["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "RESOURCE_EXHAUSTED", "PERMISSION_DENIED", "NOT_FOUND"];

/** The form for the faults of a service. */
export function faultForm(service) {
  const out = outcome();
  const lane = el("select", { name: "lane" });
  const delay = el("input", { type: "number", name: "delay", min: 0, max: 60000, step: 1, placeholder: "none" });
  const abort = el("select", { name: "abort" }, el("option", { value: "" }, "none"), ...CODES.map((code) => el("option", { value: code }, code)));
  const share = el("input", { type: "number", name: "percent", min: 0, max: 100, step: 1, value: 100 });
  const button = el("button", { class: "small main" }, "Inject");
  const clear = el("button", { type: "button", class: "small", onclick: () => doing(clear, out, "clear-fault", { service, lane: lane.value }) }, "Take the fault away");
  const offer = () => show(clear, clearable((get("mesh")?.services || []).find((each) => each.name === service), lane.value));
  watch("lanes", (section) => {
    laneOptions(lane, section);
    offer();
  });
  watch("mesh", offer);
  lane.addEventListener("change", offer);
  laneOptions(lane, get("lanes"));
  const form = el("form", { class: "fault", novalidate: true },
    el("label", {}, "Whose calls", lane), el("label", {}, "Delay, ms", delay), el("label", { class: "broad" }, "Abort with", abort),
    el("label", {}, "Percent of them", share), el("div", { class: "tools" }, button, clear), out);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!delay.value && !abort.value) {
      put(out, el("p", { class: "failed" }, "Give a delay, an abort, or both."));
      return delay.focus();
    }
    doing(button, out, "fault", { service, lane: lane.value, delay_ms: delay.value ? Number(delay.value) : null,
      abort: abort.value || null, percent: Number(share.value) });
  });
  for (const field of [lane, delay, abort, share]) set(field, { autocomplete: "off" });
  return el("details", { class: "faults", "data-service": service }, el("summary", {}, `Break calls to ${service}`), form);
}

/** The lanes as options: everybody, base, each lane; what is chosen stays. Whether they changed. */
export function laneOptions(select, section, everybody = "everybody's") {
  const names = (section?.lanes || []).map((lane) => lane.name);
  const shape = JSON.stringify(names);
  if (select.shape === shape) return false;
  select.shape = shape;
  const before = select.value;
  const options = [el("option", { value: "base" }, "base"), ...names.map((name) => el("option", { value: name }, name))];
  select.replaceChildren(...(everybody ? [el("option", { value: "" }, everybody)] : []), ...options);
  if ([...select.options].some((option) => option.value === before)) select.value = before;
  return true;
}
