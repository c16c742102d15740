// What the page can do more with a script: the lane changes in place, and Back leads to the lane before.
"use strict";

(() => {
  const said = document.getElementById("said");
  const live = () => document.getElementById("live");
  let latest = 0;

  const remember = () => history.replaceState({ lane: live().dataset.lane }, "");

  async function show(url, options) {
    const turn = ++latest;
    live().setAttribute("aria-busy", "true");
    const answer = await fetch(url, { credentials: "same-origin", ...options });
    if (!answer.ok) throw new Error(`${url}: HTTP ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
    if (!fresh) throw new Error(`${url}: not the page`);
    if (turn !== latest) return false; // somebody was faster in choosing again
    const focused = document.activeElement?.id;
    live().replaceWith(fresh);
    const again = focused && (document.getElementById(focused) || document.getElementById("lane-base"));
    if (again) again.focus({ preventScroll: true });
    said.textContent = fresh.dataset.said;
    return true;
  }

  const fields = (lane) => new URLSearchParams({ live: "1", id: live().dataset.id, lane });
  const enter = (lane) => show("/lane", { method: "POST", body: fields(lane) });

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.getAttribute("action") !== "/lane") return;
    event.preventDefault();
    const lane = new FormData(form, event.submitter).get("lane");
    const before = live().dataset.lane;
    try {
      if (!(await enter(lane))) return;
      if (live().dataset.lane !== before) history.pushState({ lane: live().dataset.lane }, "");
    } catch {
      location.reload(); // the page as it comes without a script says what is wrong
    }
  });

  document.addEventListener("click", async (event) => {
    const link = event.target.closest?.("a#again");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    try {
      await show(`/productpage/live?id=${live().dataset.id}`);
    } catch {
      location.assign(link.href);
    }
  });

  addEventListener("popstate", async (event) => {
    const lane = event.state?.lane;
    if (!lane || lane === live().dataset.lane) return;
    try {
      await enter(lane);
    } catch {
      location.reload();
    }
  });

  remember();
})();
