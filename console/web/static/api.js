// Questions and actions: JSON there and back, errors as words.

/** What went wrong, in a sentence, with further lines where there are some. */
export class Refused extends Error {
  constructor(message, details = [], status = 0) {
    super(message);
    this.details = details;
    this.status = status;
  }
}

let token = document.querySelector('meta[name="csrf-token"]')?.content || "";

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch {
    throw new Refused("The console does not answer. Nothing is known to have changed; try again.");
  }
  let body = null;
  try {
    body = await answer.json();
  } catch {
    throw new Refused(`The console answered with HTTP ${answer.status} and nothing readable.`, [], answer.status);
  }
  if (answer.ok) return body;
  const error = body?.error || {};
  throw new Refused(error.message || error.reason || `HTTP ${answer.status}`, error.details || [], answer.status);
}

/** The path of something under the API, of parts that may hold anything. */
export const path = (...parts) => `/mesh/api/${parts.map(encodeURIComponent).join("/")}`;

export const read = (url) => ask(url);

async function post(verb, body) {
  return ask(path("actions", verb), {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": token },
    body: JSON.stringify(body),
  });
}

/** Do something; a console that was started anew in between has another token, which its page tells. */
export async function act(verb, body) {
  try {
    return await post(verb, body);
  } catch (error) {
    if (error.status !== 403 || !(await renewed())) throw error;
    return post(verb, body);
  }
}

async function renewed() {
  try {
    const answer = await fetch("/mesh", { credentials: "same-origin", cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector('meta[name="csrf-token"]')?.content || "";
    const changed = fresh !== "" && fresh !== token;
    if (changed) token = fresh;
    return changed;
  } catch {
    return false;
  }
}
