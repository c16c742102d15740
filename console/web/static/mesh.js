// What holds for the whole page: which mesh this is, whether it may be changed, who cannot be reached.

import { byId, el, put, show, text } from "./dom.js";
import { watch, writable } from "./store.js";

/** Whether an answer could be expected: not of a process that is known to have ended. */
function expected(mesh, name) {
  const instance = mesh.services.flatMap((service) => service.instances).find((each) => each.name === name);
  return !instance || instance.phase === "ready";
}

/** Show it, and what changes of it. */
export function start() {
  byId("map-as-table").open = false;
  watch("mesh", (mesh) => {
    text(byId("mesh-name"), mesh.name);
    document.body.classList.toggle("writable", mesh.writable);
    const notes = [
      mesh.writable ? null : el("p", { class: "note" }, `This page only shows: ${mesh.why_not || "nothing can be changed here."}`),
      ...mesh.unreachable.filter((one) => expected(mesh, one.name)).map((one) => el("p", { class: "failed" }, `${one.name} cannot be asked what it knows: ${one.error}`)),
      ...(mesh.limits || []).map((limit) => el("p", { class: "note" }, limit)),
    ].filter(Boolean);
    const shape = notes.map((note) => note.textContent).join("\n");
    const place = byId("notes");
    if (place.shape !== shape) put(place, ...notes);
    place.shape = shape;
    for (const node of document.querySelectorAll("[data-writable]")) show(node, writable());
  });
}
