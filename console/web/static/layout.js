// Where everything on the map stands: services in columns by how deep they are called, a slot for each line. Pure.

const STATION = { width: 92, least: 34, slot: 21, pad: 9 };
const GAP = { version: 12, service: 40, title: 20, margin: 10, top: 6 };
const VISITOR = "";
const NARROWEST = { silent: 136, busy: 234 }; // between two columns, for what stands on the lines

const idOf = (service, version) => `${service}\n${version}`;

/** Which services a client holds listeners for, and so may call: [[caller, callee]]. */
export function mayCall(rules, services) {
  const names = [...services].sort((one, other) => other.length - one.length);
  const pairs = [];
  for (const client of rules?.clients || []) {
    const caller = names.find((name) => client.name === name || client.name.startsWith(`${name}-`));
    for (const resource of client.resources) {
      const callee = resource.type === "LDS" ? resource.name.split(/[.:]/)[0] : "";
      if (caller && callee !== caller && services.includes(callee)) pairs.push([caller, callee]);
    }
  }
  return pairs;
}

/** The depth of each service: one more than that of its deepest caller; a circle counts once. */
export function depths(services, pairs) {
  const callers = new Map(services.map((name) => [name, new Set()]));
  for (const [caller, callee] of pairs) if (caller !== callee) callers.get(callee)?.add(caller);
  const found = new Map();
  const walking = new Set();
  const depth = (name) => {
    if (found.has(name)) return found.get(name);
    if (walking.has(name)) return 0;
    walking.add(name);
    const deepest = Math.max(0, ...[...callers.get(name)].filter((each) => callers.has(each)).map(depth));
    walking.delete(name);
    found.set(name, deepest + 1);
    return deepest + 1;
  };
  services.forEach(depth);
  return found;
}

function stationsOf(topology) {
  const stations = new Map();
  const add = (service, version, ready, total) => {
    const id = idOf(service, version);
    if (!stations.has(id)) stations.set(id, { id, service, version, ready, total, ins: [], outs: [] });
    return stations.get(id);
  };
  for (const node of topology.nodes) add(node.service, node.version, node.ready, node.total);
  for (const edge of topology.edges) {
    add(edge.from.service, edge.from.version, 0, 0);
    add(edge.to.service, edge.to.version, 0, 0);
  }
  return stations;
}

function linesOf(topology, stations) {
  const lines = [];
  for (const edge of topology.edges) {
    const from = stations.get(idOf(edge.from.service, edge.from.version));
    const to = stations.get(idOf(edge.to.service, edge.to.version));
    for (const lane of edge.lanes) {
      const line = { key: `${from.id}\n${to.id}\n${lane.lane}`, from, to, lane };
      lines.push(line);
      from.outs.push(line);
      to.ins.push(line);
    }
  }
  return lines;
}

const byLane = (one, other) =>
  (one.lane.lane !== "base") - (other.lane.lane !== "base") || (one.lane.lane < other.lane.lane ? -1 : 1);

function heightOf(station) {
  const slots = Math.max(station.ins.length, station.outs.length);
  return Math.max(STATION.least, slots * STATION.slot + STATION.pad);
}

function columnsOf(stations, depth) {
  const columns = [];
  for (const station of stations.values()) {
    const at = station.service === VISITOR ? 0 : depth.get(station.service);
    const column = (columns[at] ||= new Map());
    if (!column.has(station.service)) column.set(station.service, []);
    column.get(station.service).push(station);
  }
  return Array.from(columns, (column) => [...(column || new Map())]);
}

function stand(columns, width, narrowest) {
  const spread = Math.max(width, STATION.width + 2 * GAP.margin + (columns.length - 1) * narrowest);
  const step = (spread - STATION.width - 2 * GAP.margin) / Math.max(columns.length - 1, 1);
  const heights = columns.map((groups) =>
    groups.reduce((sum, [, group]) => sum + GAP.title + tall(group), 0) + GAP.service * Math.max(groups.length - 1, 0));
  const height = Math.max(...heights, 80);
  const titles = [];
  const bottoms = [];
  columns.forEach((groups, index) => {
    const x = GAP.margin + index * step;
    let y = GAP.top + (height - heights[index]) / 2;
    for (const [service, group] of groups) {
      titles.push({ service, x: x + STATION.width / 2, y: y + GAP.title - 7 });
      y += GAP.title;
      for (const station of group) {
        Object.assign(station, { x, y, width: STATION.width, height: heightOf(station), column: index });
        y += station.height + GAP.version;
      }
      y += GAP.service - GAP.version;
    }
    bottoms.push(y - GAP.service);
  });
  return { width: spread, height: height + 2 * GAP.top, titles, bottoms };
}

const tall = (group) =>
  group.reduce((sum, station) => sum + heightOf(station), 0) + GAP.version * Math.max(group.length - 1, 0);

function slots(station, lines, side, other) {
  lines.sort((one, two) => one[other].y - two[other].y || byLane(one, two));
  const start = station.y + station.height / 2 - ((lines.length - 1) * STATION.slot) / 2;
  lines.forEach((line, index) => (line[side] = start + index * STATION.slot));
}

function draw(line, bottoms, detour) {
  const [x0, y0, x1, y1] = [line.from.x + STATION.width, line.y0, line.to.x, line.y1];
  const begin = `M${x0} ${y0}`;
  if (line.to.column <= line.from.column) {
    const over = Math.min(y0, y1) - 40;
    return `${begin}C${x0 + 60} ${over} ${x1 - 60} ${over} ${x1} ${y1}`;
  }
  const lead = Math.min(104, (x1 - x0) * 0.55);
  const bend = (x1 - lead - x0) * 0.5;
  const last = `${x1 - lead - bend} ${y1} ${x1 - lead} ${y1}L${x1} ${y1}`;
  if (line.to.column === line.from.column + 1) return `${begin}C${x0 + bend} ${y0} ${last}`;
  const step = (x1 - x0 + STATION.width) / (line.to.column - line.from.column);
  const low = Math.max(...bottoms.slice(line.from.column + 1, line.to.column)) + 16 + detour * STATION.slot;
  const [a, b] = [x0 + step - STATION.width, x1 - step];
  return `${begin}C${x0 + 60} ${y0} ${a - 60} ${low} ${a} ${low}L${b} ${low}C${b + 50} ${low} ${last}`;
}

/** The map of a topology in `width` pixels: stations, titles, lines with their paths, tracks not used just now. */
export function mapOf(topology, pairs, width, order = []) {
  const stations = stationsOf(topology);
  const seen = [...new Set([...stations.values()].map((station) => station.service))].filter((name) => name !== VISITOR);
  const place = (name) => (order.indexOf(name) + order.length + 1) % (order.length + 1);
  const services = seen.sort((one, two) => place(one) - place(two));
  const called = topology.edges.map((edge) => [edge.from.service, edge.to.service]);
  const depth = depths(services, [...pairs, ...called]);
  if (!stations.has(idOf(VISITOR, ""))) {
    stations.set(idOf(VISITOR, ""), { id: idOf(VISITOR, ""), service: VISITOR, version: "", ready: 0, total: 0, ins: [], outs: [] });
  }
  const lines = linesOf(topology, stations);
  const sorted = new Map([...stations].sort(([, one], [, two]) =>
    services.indexOf(one.service) - services.indexOf(two.service) || (one.version === "") - (two.version === "") || (one.version < two.version ? -1 : 1)));
  const map = stand(columnsOf(sorted, depth), width, lines.length ? NARROWEST.busy : NARROWEST.silent);
  let detours = 0;
  for (const station of stations.values()) {
    slots(station, station.ins, "y1", "from");
    slots(station, station.outs, "y0", "to");
  }
  for (const line of lines) {
    const far = line.to.column > line.from.column + 1;
    line.path = draw(line, map.bottoms, far ? detours++ : 0);
    line.label = { x: line.to.x - 8, y: line.y1 - 5 };
  }
  const lowest = detours ? Math.max(...map.bottoms) + 26 + detours * STATION.slot : 0;
  const top = services.filter((name) => !pairs.some(([, callee]) => callee === name));
  const tracks = tracksOf([...pairs, ...top.map((name) => [VISITOR, name])], called, stations);
  return { ...map, height: Math.max(map.height, lowest), stations: [...stations.values()], lines, tracks };
}

function tracksOf(pairs, called, stations) {
  const used = new Set(called.map(([from, to]) => `${from}\n${to}`));
  const tracks = new Map();
  for (const [caller, callee] of pairs) {
    const key = `${caller}\n${callee}`;
    if (used.has(key) || tracks.has(key)) continue;
    const [from, to] = [caller, callee].map((name) => [...stations.values()].find((station) =>
      station.service === name && (station.version || name === VISITOR)));
    if (!from || !to || to.column !== from.column + 1) continue;
    const [x0, y0, x1, y1] = [from.x + STATION.width, middle(from), to.x, middle(to)];
    const half = (x0 + x1) / 2;
    tracks.set(key, { key, path: `M${x0} ${y0}C${half} ${y0} ${half} ${y1} ${x1} ${y1}` });
  }
  return [...tracks.values()];
}

const middle = (station) => station.y + station.height / 2;
