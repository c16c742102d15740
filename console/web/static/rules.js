// What is in force at each client of the control plane, since when, and what was refused and why.

import { path, read } from "./api.js";
import { refusal } from "./doing.js";
import { byId, el, put, reconcile, set, show as reveal, text } from "./dom.js";
import { planeless, remedy } from "./plane.js";
import { get, watch } from "./store.js";
import { ago, count } from "./words.js";

const place = byId("rule-clients");
const note = byId("rules-note");

/** Show them, and what changes of them. */
export function start() {
  watch("rules", draw);
  watch("mesh", () => get("rules") && draw(get("rules")));
  setInterval(() => {
    for (const cell of place.querySelectorAll("[data-changed]")) text(cell, ago(Number(cell.dataset.changed)));
  }, 5000);
}

function draw(section) {
  const cut = section.clients.filter((client) => !client.connected);
  const words = !cut.length ? "" : planeless() ? `The control plane does not run, so ${cut.length === section.clients.length ? "no client is" : `${count(cut.length, "client")} of ${section.clients.length} not`} connected: the rules below are the last they were told, and stay in force. ${remedy()}`
    : "Who is not connected tries again by itself; until then the last rules it was told stay in force.";
  text(note, words);
  reveal(note, words !== "");
  reconcile(place, section.clients, (client) => client.name, makeClient, updateClient);
}

const bad = (resource) => resource.error || !["ACKED", "SYNCED"].includes(resource.state);

function makeClient(client) {
  const node = el("li", { class: "client" });
  node.summary = el("summary", {}, el("b", {}, client.name), " ", el("span", { class: "quiet" }));
  node.problem = el("p", { class: "failed" });
  node.rows = el("tbody");
  node.resource = el("div", { class: "resource" });
  const head = el("thead", {}, el("tr", {}, ...["Kind", "Name", "State", "Version", "Changed"].map((words) => el("th", { scope: "col" }, words))));
  node.details = el("details", {}, node.summary, node.problem,
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Resources of ${client.name}` }, el("table", {}, head, node.rows)), node.resource);
  node.append(node.details);
  return node;
}

function updateClient(node, client) {
  const refused = client.resources.filter((resource) => resource.error).length;
  const state = client.connected ? `connected to ${client.server}` : "not connected";
  text(node.summary.children[1], `${state}, ${count(client.resources.length, "resource")}${refused ? `, ✕ ${refused} refused` : ", none refused"}`);
  set(node, { class: `client ${refused || !client.connected ? "down" : "ready"}` });
  const told = planeless() ? "" : client.error || ""; // that nobody answers there is said above, once
  text(node.problem, told);
  node.problem.hidden = !told;
  if (refused && !node.seen) node.details.open = true;
  node.seen = refused > 0;
  reconcile(node.rows, client.resources, (resource) => `${resource.type} ${resource.name}`, () => el("tr"), (row, resource) => updateRow(node, row, client, resource));
}

function updateRow(node, row, client, resource) {
  const shape = JSON.stringify(resource);
  if (row.shape === shape) return;
  row.shape = shape;
  const open = el("button", { type: "button", class: "link", onclick: () => show(node, client, resource) }, resource.name);
  const words = { ACKED: "✓ acknowledged", NACKED: "✕ refused", REQUESTED: "asked for", DOES_NOT_EXIST: "is not there" };
  const state = el("td", { class: bad(resource) ? "bad" : "" }, words[resource.state] || resource.state,
    resource.error ? el("p", {}, resource.error) : null,
    resource.unsupported?.length ? el("p", { class: "quiet" }, `without effect: ${resource.unsupported.join(", ")}`) : null);
  put(row, el("td", {}, resource.type), el("td", { class: "resource-name" }, open), state, el("td", { class: "version", title: resource.version }, (resource.version || "–").slice(0, 8)),
    el("td", { "data-changed": resource.changed }, ago(resource.changed)));
}

async function show(node, client, resource) {
  const name = `${resource.type} ${resource.name}`;
  const close = el("button", { type: "button", class: "small", onclick: () => put(node.resource) }, "Close");
  const title = el("h4", { tabindex: -1 }, name);
  put(node.resource, el("div", { class: "headline" }, title, close));
  try {
    const found = await read(path("rules", client.name, resource.type, resource.name));
    node.resource.append(el("pre", { tabindex: 0, role: "region", "aria-label": name }, JSON.stringify(found.resource ?? found, null, 2)));
  } catch (error) {
    node.resource.append(refusal(error));
  }
  title.focus();
}
