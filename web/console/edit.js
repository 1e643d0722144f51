// What somebody who is logged in may change of a znode.
import { el } from "./dom.js";
import { reason, tell } from "./api.js";
import { textOf, unhex } from "./values.js";

const LONGEST = 100_000; // what the server takes in one request

const hex = (text) => [...new TextEncoder().encode(text)].map((b) => b.toString(16).padStart(2, "0")).join("");

/** on.done(path): it was done, and this is to be shown; on.fault(text). */
export function editPart(znode, on) {
  const { path } = znode;
  const parent = path.slice(0, path.lastIndexOf("/")) || "/";

  async function run(name, what, next) {
    try {
      await tell(name, what);
      on.done(next);
    } catch (error) {
      on.fault(`Not done: ${reason(error)}.`);
    }
  }

  return el("section", { "aria-labelledby": "edit-title" }, el("h2", { id: "edit-title" }, "Change it"),
    setPart(znode, (text) => run("set", { path, data: hex(text), version: znode.stat.version }, path)),
    createPart((name, text) => run("create", { path: path === "/" ? `/${name}` : `${path}/${name}`, data: hex(text) }, path)),
    path === "/" ? null : deletePart(() => run("delete", { path, version: znode.stat.version }, parent)));
}

function form(title, submit, ...fields) {
  const place = el("form", { class: "edit", "aria-label": title }, ...fields, el("p", { class: "choices" }, el("button", { type: "submit", class: "button" }, title)));
  place.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  return place;
}

/** Text alone: who wants to change other bytes has better tools. */
function setPart({ data }, set) {
  const part = unhex(data.hex);
  const text = part.length === data.bytes && data.bytes <= LONGEST ? textOf(part) : null;
  if (text === null) return el("p", { class: "subline" }, "Its data is no text, or too long to be changed here.");
  const area = el("textarea", { id: "new-data", spellcheck: "false", maxlength: LONGEST });
  area.value = text;
  area.dataset.was = text;
  return form("Save", () => set(area.value), el("label", { for: "new-data" }, "Data"), area);
}

function createPart(create) {
  const name = el("input", { type: "text", id: "new-name", required: true, autocapitalize: "off", spellcheck: "false", autocomplete: "off" });
  const text = el("input", { type: "text", id: "new-text", spellcheck: "false", autocomplete: "off" });
  return form("Create", () => create(name.value, text.value), el("label", { for: "new-name" }, "New child"), name, el("label", { for: "new-text" }, "Its data"), text);
}

/** Asked twice: the second press means it. */
function deletePart(remove) {
  const button = el("button", { type: "button", class: "button" }, "Delete");
  button.addEventListener("click", () => {
    if (button.dataset.sure) remove();
    button.dataset.sure = "yes";
    button.textContent = "Really delete it";
  });
  button.addEventListener("blur", () => {
    delete button.dataset.sure;
    button.textContent = "Delete";
  });
  return el("p", { class: "choices" }, button);
}
