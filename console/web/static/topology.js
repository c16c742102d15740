// The map: who calls whom, each lane in its colour, as wide as it is busy.

import { byId, el, put, reconcile, set, show, svg, text } from "./dom.js";
import { mapOf, mayCall } from "./layout.js";
import { chosen, choose } from "./chosen.js";
import { faultsOf, faultWords } from "./standing.js";
import { get, watch } from "./store.js";
import { count, hue, ms, rate, titled } from "./words.js";

const room = byId("map-room");
const canvas = byId("map");
const readout = byId("map-readout");
const groups = {};
let drawn = null;
let here = null;

/** Draw, and draw again whenever there is something new or another width. */
export function start() {
  for (const name of ["tracks", "lines", "titles", "stations"]) {
    groups[name] = svg("g", { class: name });
    canvas.append(groups[name]);
  }
  new ResizeObserver(draw).observe(room);
  for (const name of ["topology", "rules", "lanes", "mesh"]) watch(name, draw);
  document.addEventListener("chosen", mark);
  canvas.addEventListener("keydown", walk);
  canvas.addEventListener("pointerover", (event) => tell(event.target.closest("[data-key]")));
  canvas.addEventListener("pointerleave", () => tell(here));
  // An SVG that listens for the focus can have it itself; what is around it listens instead.
  room.addEventListener("focusin", (event) => {
    here = event.target.closest("[data-key]");
    tell(here);
  });
  room.addEventListener("focusout", () => tell((here = null)));
  canvas.addEventListener("click", (event) => press(event.target.closest("[data-key]")));
}

function draw() {
  const topology = get("topology");
  if (!topology) return;
  const order = (get("mesh")?.services || []).map((service) => service.name);
  const names = [...new Set([...order, ...topology.nodes.map((node) => node.service)])];
  drawn = mapOf(topology, mayCall(get("rules"), names), room.clientWidth, order);
  set(canvas, { viewBox: `0 0 ${drawn.width} ${drawn.height}`, width: drawn.width, height: drawn.height });
  show(canvas, true);
  show(byId("map-wide"), drawn.width > room.clientWidth + 1);
  reconcile(groups.tracks, drawn.tracks, (track) => track.key, () => svg("path", { class: "track" }), (node, track) =>
    set(node, { d: track.path }));
  reconcile(groups.lines, drawn.lines, (line) => line.key, makeLine, updateLine, false);
  reconcile(groups.titles, drawn.titles, (title) => title.service, makeTitle, updateTitle);
  reconcile(groups.stations, drawn.stations, (station) => station.id, makeStation, updateStation, false);
  roam();
  mark();
  table(topology);
  tell(here);
}

const makeTitle = () => svg("text", { class: "title" }, svg("tspan"), svg("tspan", { class: "bad", dx: 5 }));

function updateTitle(node, title) {
  set(node, { x: title.x, y: title.y });
  text(node.children[0], short(title.service || "visitors", 16));
  text(node.children[1], standing(title.service).length ? "✕ fault" : "");
}

const standing = (name) => faultsOf((get("mesh")?.services || []).find((service) => service.name === name)).map(faultWords);

function makeLine(line) {
  return svg("g", { class: "line", "data-key": `line ${line.key}`, role: "button", tabindex: -1 },
    svg("path", { class: "reach" }), svg("path", { class: "way" }), svg("path", { class: "flow" }),
    svg("text", { class: "label" }, svg("tspan", { class: "figures" }), svg("tspan", { class: "bad", dx: 5 })));
}

function updateLine(node, line) {
  const { lane } = line;
  set(node, {
    class: `line ${hue(lane.hue)}${line.to.version ? "" : " lost-call"}${lane.errors ? " failing" : ""}`,
    "aria-label": wordsOf(line), "data-lane": lane.lane,
  });
  node.datum = line;
  const [reach, way, flow, label] = node.children;
  const width = Math.min(2.5 + 2 * Math.log2(1 + lane.rate * 2), 9).toFixed(1);
  set(reach, { d: line.path });
  set(way, { d: line.path, "stroke-width": width });
  set(flow, { d: line.path });
  set(label, { x: line.label.x, y: line.label.y });
  text(label.children[0], line.to.version ? `${rate(lane.rate)}  ${fine(lane.p50)}/${fine(lane.p99)} ms` : rate(lane.rate));
  text(label.children[1], lane.errors ? `✕${lane.errors}` : "");
}

const fine = (value) => (value === null || value === undefined ? "–" : value >= 10 ? value.toFixed(0) : value.toFixed(1));
const short = (words, most) => (words.length > most ? `${words.slice(0, most - 1)}…` : words);

function makeStation(station) {
  return svg("g", { class: "station", "data-key": `station ${station.id}`, role: "button", tabindex: -1 },
    svg("rect", { rx: 12 }), svg("g", { class: "owners" }), svg("text", { class: "name" }), svg("text", { class: "state" }));
}

function updateStation(node, station) {
  const visitor = station.service === "";
  const nobody = !visitor && station.version === "";
  const idle = !visitor && !nobody && station.total === 0;
  const down = !visitor && !idle && station.ready === 0;
  set(node, { class: `station${down ? " down" : idle ? " idle" : ""}${visitor ? " visitor" : ""}`, "aria-label": stationWords(station) });
  node.datum = station;
  const [box, owners, name, state] = node.children;
  const { x, y, width, height } = station;
  set(box, { x, y, width, height });
  set(name, { x: x + 14, y: y + height / 2 + 5 });
  text(name, visitor ? "door" : nobody ? (aborted(station) ? "aborted" : "no arrival") : short(station.version, 9));
  set(state, { x: x + width - 12, y: y + height / 2 + 4 });
  text(state, visitor || nobody ? "" : station.total ? `${station.ready}/${station.total}` : "off");
  const lanes = (get("lanes")?.lanes || []).filter((lane) => lane.versions[station.service] === station.version).slice(0, 6);
  reconcile(owners, lanes, (lane) => lane.name, () => svg("circle", { r: 4 }), (dot, lane) =>
    set(dot, { cx: x + width - 10 - lanes.indexOf(lane) * 11, cy: y, class: `owner ${hue(lane.hue)}` }));
}

/** Whether rules aborted all that did not arrive. */
const aborted = (station) => station.ins.length > 0 && station.ins.every((line) => line.lane.aborted);

function stationWords(station) {
  if (station.service === "") return "Visitors come in here";
  if (station.version === "") return `${station.service}: calls that ${aborted(station) ? "a rule aborted" : "did not arrive"}`;
  const lanes = (get("lanes")?.lanes || []).filter((lane) => lane.versions[station.service] === station.version);
  const owned = lanes.length ? `; serves lane ${lanes.map((lane) => lane.name).join(", ")}` : "";
  const instances = station.total ? `${station.ready} of ${count(station.total, "instance")} ready` : "not started";
  const broken = standing(station.service).length ? `; broken on purpose: ${standing(station.service).join("; ")}` : "";
  return `${station.service} ${station.version}: ${instances}${owned}${broken}`;
}

function wordsOf({ from, to, lane }) {
  const where = to.version ? titled(to.service, to.version) : `${to.service}, ${lane.aborted ? "aborted by a rule" : "not arriving"}`;
  const errors = lane.errors ? `${lane.errors} of ${count(lane.calls, "call")} failed` : `${count(lane.calls, "call")}, none failed`;
  const took = to.version ? `; half took under ${ms(lane.p50)}, 99 % under ${ms(lane.p99)}` : "";
  return `Lane ${lane.lane}: ${titled(from.service, from.version)} to ${where}: ${rate(lane.rate)}; ${errors}${took}`;
}

function tell(node) {
  for (const other of canvas.querySelectorAll(".pointed")) if (other !== node) other.classList.remove("pointed");
  node?.classList.add("pointed");
  const key = node?.dataset.key || "";
  const words = !node ? hint() : key.startsWith("line") ? wordsOf(node.datum) : stationWords(node.datum);
  text(readout, words);
}

const hint = () =>
  get("topology")?.edges.length
    ? "A line is a lane: the wider, the busier. On it: calls a second, median/99th percentile. Point at it, or use the arrow keys, for more."
    : "Nobody has asked for anything in the last seconds. Dotted: who may call whom.";

function press(node) {
  if (!node) return;
  const datum = node.datum;
  if (node.dataset.key.startsWith("line")) choose(datum.lane.lane);
  else if (datum.service) byId(`service-${datum.service}`)?.scrollIntoView({ block: "center" });
}

// One stop for the Tab key; the arrow keys lead on from there, as people read: column by column.
const placeOf = ({ x, y, to, y1 }) => (to ? [to.x - 1, y1] : [x, y]);

const stops = () => [...canvas.querySelectorAll("[data-key]")].sort((one, other) => {
  const [[x0, y0], [x1, y1]] = [placeOf(one.datum), placeOf(other.datum)];
  return x0 - x1 || y0 - y1;
});

function roam() {
  const all = stops();
  const first = here && all.includes(here) ? here : all[0];
  for (const node of all) set(node, { tabindex: node === first ? 0 : -1 });
}

function walk(event) {
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    return press(here);
  }
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step || !here) return;
  event.preventDefault();
  const all = stops();
  const next = all[(all.indexOf(here) + step + all.length) % all.length];
  next.focus();
  roam();
}

function mark() {
  const lane = chosen();
  canvas.classList.toggle("chosen", Boolean(lane));
  for (const node of groups.lines.children) node.classList.toggle("faint", Boolean(lane) && node.dataset.lane !== lane);
}

function table(topology) {
  const rows = topology.edges.flatMap((edge) => edge.lanes.map((lane) => ({ edge, lane })));
  const body = byId("map-table");
  reconcile(body, rows, ({ edge, lane }) => JSON.stringify([edge.from, edge.to, lane.lane]), () => el("tr"), (row, { edge, lane }) => {
    const cells = [titled(edge.from.service, edge.from.version), edge.to.version ? titled(edge.to.service, edge.to.version) : `${edge.to.service} (${lane.aborted ? "aborted by a rule" : "did not arrive"})`];
    const figures = [rate(lane.rate), lane.calls, lane.errors, ms(lane.p50), ms(lane.p99)];
    put(row, ...cells.map((cell) => el("td", {}, cell)), el("td", {}, el("span", { class: `tag ${hue(lane.hue)}` }, lane.lane)),
      ...figures.map((figure) => el("td", { class: "number" }, String(figure))));
  });
  text(byId("map-window"), `in the last ${topology.window} s`);
}
