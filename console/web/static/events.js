// The stream of events: taken in, taken up again where it breaks, and its state in plain words.

import { byId, set, text } from "./dom.js";
import { take } from "./store.js";

const NAMES = ["mesh", "topology", "lanes", "requests", "rules", "actions"];
const RETRY = 2000;
const SILENCE = 25000; // the console says that it is there every 10 s: a connection may hang without breaking
let heard = 0;
let source = null;
let lost = null;
let alive = false;

/** Listen, for as long as the page is open. */
export function listen() {
  source = new EventSource("/mesh/events");
  heard = Date.now();
  source.addEventListener("open", found);
  source.addEventListener("ping", found);
  source.addEventListener("error", () => {
    gone();
    if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
    source.close();
    setTimeout(listen, RETRY);
  });
  for (const name of NAMES) {
    source.addEventListener(name, (event) => {
      found();
      take(name, JSON.parse(event.data));
    });
  }
}

function gone() {
  if (alive || lost === null) lost = Date.now();
  alive = false;
  say();
}

function watch() {
  if (alive && Date.now() - heard > SILENCE) {
    source.close();
    gone();
    listen();
  }
  age();
}

function found() {
  heard = Date.now();
  if (alive) return;
  alive = true;
  lost = null;
  say();
}

function say() {
  const badge = byId("live");
  set(badge, { "data-state": alive ? "live" : "lost" });
  text(badge, alive ? "live" : lost === null ? "connecting" : "The console does not answer; trying again.");
  document.body.classList.toggle("lost", !alive);
  age();
}

function age() {
  const seconds = lost === null ? 0 : Math.round((Date.now() - lost) / 1000);
  text(byId("age"), alive || seconds < 2 ? "" : `What is shown is ${seconds} s old.`);
}

setInterval(watch, 1000);
