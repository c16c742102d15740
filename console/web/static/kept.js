// Waiting until the console has told of a request, which it does a moment after the answer.

import { watch } from "./store.js";

/** Settles when the request is told of, all of its spans with it, or after so many milliseconds. */
export function told(trace, patience) {
  let forget;
  const seen = new Promise((resolve) => {
    setTimeout(resolve, patience);
    forget = watch("requests", (requests) => requests.some((request) => request.trace_id === trace) && resolve());
  });
  return seen.finally(forget);
}
