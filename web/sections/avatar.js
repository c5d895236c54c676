import {h} from "../lib/dom.js";

export function mount(root) {
  root.append(h("p", {}, "…"));
}
