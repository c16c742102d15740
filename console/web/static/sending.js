// Requests sent from here, what became of them on their whole way, and the way to where they went.

import { choose } from "./chosen.js";
import { doing } from "./doing.js";
import { el, put } from "./dom.js";
import { told } from "./kept.js";
import { open } from "./opened.js";
import { get } from "./store.js";
import { failed, list, outcomeOf, partly } from "./words.js";

const PATIENCE = 4000;

/** Send requests; beside the control stands what came back, and a way to the last of them. */
export async function send(control, out, { lane, user = "", count = 1 }) {
  const answer = await doing(control, out, "send", { lane, user, count });
  if (!answer?.sent?.length) return;
  put(out, el("p", { class: "quiet" }, "Answered; looking where it went…"));
  const known = await followed(answer.sent);
  const { words, ok, show } = summary(known, answer.sent, lane);
  const look = el("button", { type: "button", class: "small", onclick: () => {
    choose("", false);
    open(show, true);
  } }, known.length > 1 && !ok ? "See where a failed one went" : "See where it went");
  put(out, el("div", { class: ok ? "done" : "failed" }, el("p", {}, words), show ? look : null));
}

/** What is kept of each request; of one that is not told of in time, its answer alone. */
async function followed(sent) {
  const limit = Date.now() + PATIENCE;
  await Promise.all(sent.filter((each) => each.trace_id).map((each) => told(each.trace_id, limit - Date.now())));
  const requests = new Map((get("requests") || []).map((request) => [request.trace_id, request]));
  return sent.map((each) => {
    const request = requests.get(each.trace_id);
    return request ? { ...request, status: each.status || request.status, error: each.error || request.error } : { ...each, hops: [], unseen: true };
  });
}

/** What became of requests: in words, whether all went well, and which is worth a look. Pure. */
export function summary(known, sent, lane) {
  const where = `in lane ${lane}`;
  const bad = known.filter((each) => failed(each) || partly(each));
  const unseen = known.filter((each) => each.unseen && !failed(each)).length;
  const blind = unseen ? ` (${unseen === known.length ? "" : `${unseen} of them: `}where it went is not known yet)` : "";
  const show = (bad.at(-1) || known.at(-1))?.trace_id || "";
  if (known.length === 1) return { words: `Sent ${where}: ${outcomeOf(known[0])}${blind}.`, ok: !bad.length, show };
  const halves = known.filter(partly).length;
  const lost = known.filter(failed).length;
  const counts = [lost && `${lost} failed`, halves && `${halves} failed in part`].filter(Boolean);
  const head = counts.length ? `${list(counts)}. ` : "";
  return { words: `Sent ${sent.length} ${where}: ${head}${tally(known)}${blind}.`, ok: !bad.length, show };
}

function tally(known) {
  const times = new Map();
  for (const each of known) times.set(outcomeOf(each), (times.get(outcomeOf(each)) || 0) + 1);
  return [...times].map(([outcome, number]) => `${number} × ${outcome}`).join("; ");
}
