// How numbers, times and states are said. Pure.

/** Milliseconds, as precise as it helps. */
export function ms(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 10000) return `${(value / 1000).toFixed(0)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} ms`;
}

/** Calls a second. */
export const rate = (value) => `${value >= 10 ? value.toFixed(0) : value.toFixed(value >= 1 ? 1 : 2)}/s`;

export const percent = (share) => (share > 0 && share < 0.01 ? "under 1 %" : `${Math.round(share * 100)} %`);

export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** How long ago, of seconds since 1970. */
export function ago(then, now = Date.now() / 1000) {
  if (then === null || then === undefined) return "earlier";
  const seconds = Math.max(0, Math.round(now - then));
  if (seconds < 2) return "just now";
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}

/** The time of day. */
export const clock = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** A list as people say it. */
export function list(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** The class with a lane's colour. */
export const hue = (value) => `hue-${value ?? "base"}`;

/** What a call or request ended with, for people. */
export const ended = (request) => (request.error ? request.error : String(request.status || "no answer"));

export const failed = (request) => Boolean(request.error) || request.status >= 500 || !request.status;

export const titled = (service, version) => (version ? `${service} ${version}` : service || "the visitor");

/** The hops of a request that failed. */
export const broken = (request) => (request.hops || []).filter((hop) => hop.error);

/** Whether it was answered although a call on its way failed. */
export const partly = (request) => !failed(request) && broken(request).length > 0;

/** What a request ended with, and what failed on its way although it was answered. */
export function outcomeOf(request) {
  if (!partly(request)) return ended(request);
  const why = [...new Set(broken(request).map((hop) => `${hop.service} failed: ${shortly(hop.error)}`))];
  return `${ended(request)}, but ${list(why)}`;
}

/** What a client says of a failed call, without the address that stands beside it anyway. */
export const shortly = (error) => error.replace(/^xds:\/\/\/\S+: /, "").replace(/^fault injected by route '?([^']*)'?$/, "aborted by rule $1");
