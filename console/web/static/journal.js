// What was done here, each with the milliseconds until it was in force, and a way back.

import { told } from "./doing.js";
import { byId, el, put, reconcile, show } from "./dom.js";
import { watch } from "./store.js";
import { clock } from "./words.js";

const place = byId("journal");

/** Show it, and what is done. */
export function start() {
  watch("actions", (section) => {
    show(byId("no-actions"), section.actions.length === 0);
    reconcile(place, section.actions, (action) => action.id, () => el("li"), (node, action) => {
      const shape = JSON.stringify(action);
      if (node.shape === shape) return;
      node.shape = shape;
      put(node, el("time", { class: "quiet" }, typeof action.time === "number" ? clock(action.time) : String(action.time)), told(action));
    });
  });
}
