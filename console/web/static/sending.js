// Requests sent from here, what they were answered, and the way to where they went.

import { choose } from "./chosen.js";
import { doing } from "./doing.js";
import { el, put } from "./dom.js";
import { open } from "./opened.js";
import { ended } from "./words.js";

/** Send requests; beside the control stands what came back, and a way to the last of them. */
export async function send(control, out, { lane, user = "", count = 1 }) {
  const answer = await doing(control, out, "send", { lane, user, count });
  if (!answer?.sent?.length) return;
  const last = answer.sent.at(-1);
  const words = count === 1 ? `Sent in lane ${lane}: ${ended(last)}.` : `Sent ${count} in lane ${lane}: ${tally(answer.sent)}.`;
  const look = el("button", { type: "button", class: "small", onclick: () => {
    choose("", false);
    open(last.trace_id, true);
  } }, "See where it went");
  put(out, el("div", { class: answer.ok ? "done" : "failed" }, el("p", {}, words), last.trace_id ? look : null));
}

function tally(sent) {
  const times = new Map();
  for (const each of sent) times.set(ended(each), (times.get(ended(each)) || 0) + 1);
  return [...times].map(([status, number]) => `${number} × ${status}`).join(", ");
}
