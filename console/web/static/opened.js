// Which request is open; the address names it, so that a reload opens it again.

let trace = decodeURIComponent(location.hash.replace(/^#request=/, "#").slice(1));
if (!/^[0-9a-f]{32}$/.test(trace)) trace = "";

/** The trace id of the open request; empty where none is. */
export const opened = () => trace;

/** Open a request; `go` leads the focus to it. */
export function open(id, go = false) {
  trace = id;
  history.replaceState(null, "", id ? `#request=${id}` : location.pathname + location.search);
  document.dispatchEvent(new CustomEvent("opened", { detail: { go } }));
}
