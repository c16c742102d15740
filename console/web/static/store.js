// What the console last said, section by section, and who wants to know.

/** So many requests are kept here. */
export const MOST_REQUESTS = 300;
const held = {};
const wanting = new Map();

/** The last of a section; undefined before the first. */
export const get = (name) => held[name];

/** Call `told` with a section now, if there is one, and whenever it changes, until what is returned is called. */
export function watch(name, told) {
  if (!wanting.has(name)) wanting.set(name, new Set());
  wanting.get(name).add(told);
  if (held[name] !== undefined) told(held[name]);
  return () => wanting.get(name).delete(told);
}

/** Take in an event. */
export function take(name, data) {
  held[name] = name === "requests" ? merged(data) : data;
  for (const told of wanting.get(name) || []) told(held[name]);
}

/** Requests newest first: new ones in front, in place of those of the same trace. */
export function merged(data, before = held.requests || [], most = MOST_REQUESTS) {
  if (data.reset) return data.requests.slice(0, most);
  const fresh = new Set(data.requests.map((request) => request.trace_id));
  const all = [...data.requests, ...before.filter((request) => !fresh.has(request.trace_id))];
  return all.sort((one, other) => other.start - one.start).slice(0, most);
}

/** Whether the console may change the mesh. */
export const writable = () => Boolean(held.mesh?.writable);

/** Whether the console may kill and start processes, too. */
export const mayKill = () => Boolean(held.mesh?.processes);
