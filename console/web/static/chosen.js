// The lane that is looked at: chosen on the map, on a card or in the filter, known to all of them.

let lane = "";

/** The chosen lane; empty where all are looked at. */
export const chosen = () => lane;

/** Look at one lane, or at all again; choosing the same one again is letting go of it. */
export function choose(name, toggle = true) {
  lane = toggle && lane === name ? "" : name;
  document.dispatchEvent(new CustomEvent("chosen"));
}
