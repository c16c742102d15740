// Carrying out an action for a control: busy meanwhile, and beside it what came of it, in how many milliseconds.

import { act } from "./api.js";
import { el, put, set } from "./dom.js";
import { get, mayKill, watch } from "./store.js";
import { ms } from "./words.js";

// What goes through the control plane.
const RULED = new Set(["weights", "apply", "delete", "lane-create", "lane-delete", "fault", "clear-fault"]);

/** Where the outcome of an action is told, to be put beside its control. */
export const outcome = () => el("div", { class: "outcome", role: "status" });

/** Do it; answers what the console answered, or null where it refused. */
export async function doing(control, out, verb, body) {
  if (control.getAttribute("aria-disabled")) return null;
  set(control, { "aria-disabled": "true" });
  put(out, el("p", { class: "quiet" }, "Under way…"));
  try {
    const answer = await act(verb, body);
    if (answer.action) put(out, told(answer.action));
    else put(out);
    return answer;
  } catch (error) {
    put(out, refusal(error, RULED.has(verb)));
    return null;
  } finally {
    set(control, { "aria-disabled": null });
  }
}

/** A refusal in words, with the places it names; of a change of rules, whether the control plane is what it lacks. */
export function refusal(error, ruled = false) {
  const down = ruled && !["ready", undefined].includes(get("mesh")?.control_plane?.phase);
  if (down) return el("p", { class: "failed" }, `Nothing was changed: the control plane does not run. ${mayKill() ? "Start it above, then try again." : "It has to be started first."}`);
  const details = (error.details || []).map((line) => el("li", {}, String(line)));
  return el("div", { class: "failed" }, el("p", {}, error.message), details.length ? el("ul", {}, ...details) : null);
}

/** What was done; what was undone and done again is said once. Pure. */
export function titleOf({ title }) {
  const once = title.replace(/^(Undo: Undo: )+/, "");
  return once === title || once.startsWith("Undo: ") ? once : `Again: ${once}`;
}

/** What an action did, and the button that takes it back. */
export function told(action, lines = true) {
  const took = action.milliseconds === null ? "" : el("b", { class: "took" }, ms(action.milliseconds));
  const words = el("p", {}, action.ok ? `Done: ${titleOf(action)} ` : `Not all of it came about: ${titleOf(action)} `, took);
  const more = lines && action.lines.length ? el("ul", { class: "quiet" }, ...action.lines.map((line) => el("li", {}, line))) : null;
  return el("div", { class: action.ok ? "done" : "failed", "data-action": action.id }, words, more, undo(action));
}

/** What is told of actions beside their controls gives way once they are undone. */
export function start() {
  watch("actions", ({ actions }) => {
    for (const node of document.querySelectorAll(".outcome [data-action]")) {
      const action = actions.find((each) => each.id === node.dataset.action);
      if (action?.undone && !node.querySelector("[aria-disabled]")) put(node.parentElement, el("p", { class: "quiet" }, `Undone: ${titleOf(action)}`));
    }
  });
}

/** Undo, where that can be done. */
export function undo(action) {
  if (!action.undoable || action.undone) return action.undone ? el("p", { class: "quiet" }, "Undone.") : null;
  const out = outcome();
  const button = el("button", { type: "button", class: "small", "aria-label": `Undo: ${titleOf(action).replace(/^Undo: /, "the undoing of: ")}`,
    onclick: async () => {
      const answer = await doing(button, out, "undo", { id: action.id });
      const before = button.closest("[data-action]");
      if (!answer || !before?.isConnected) return;
      const after = told(answer.action);
      const focused = before.contains(document.activeElement);
      before.replaceWith(after);
      if (focused) after.querySelector("button")?.focus();
    } }, "Undo");
  return el("div", { class: "undo" }, button, out);
}
