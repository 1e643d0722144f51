// The tree: one znode at a time, its children beside it.
import { el, number, plural } from "./dom.js";
import { ask, reason, who } from "./api.js";
import { editPart } from "./edit.js";
import { bytes, hexDump, moment, permissions, prettyJson, span, textOf, unhex } from "./values.js";

const AGAIN_MS = 400; // a znode that changes often is read again at most so often

/** The address of a znode's place in this page; each part is encoded by itself. */
export function treeLink(path) {
  return `#/tree/${path.split("/").filter(Boolean).map(encodeURIComponent).join("/")}`;
}

export function treePath(hash) {
  const parts = hash.replace(/^#\/tree\/?/, "").split("/").filter(Boolean);
  try {
    return `/${parts.map(decodeURIComponent).join("/")}`;
  } catch {
    return null; // not percent-encoded by anybody
  }
}

const join = (path, name) => (path === "/" ? `/${name}` : `${path}/${name}`);

export class TreePage {
  constructor(place) {
    this.place = place;
    this.path = null;
    this.timer = null;
    this.writes = false; // whether the server takes any from here
  }

  async open(path) {
    this.path = path;
    this.form = null;
    this.at = 0;
    this.heading = el("h1", { class: "path", tabindex: "-1" }, path);
    this.fault = el("p", { class: "notice", role: "status", hidden: true });
    this.childrenPlace = el("section", { "aria-labelledby": "children-title" });
    this.znodePlace = el("div");
    this.place.replaceChildren(this.heading, this.crumbs(path), this.goTo(path), this.fault,
      el("div", { class: "znode" }, this.childrenPlace, this.znodePlace));
    this.place.hidden = false;
    this.heading.focus();
    await Promise.all([this.loadZnode(), this.loadChildren()]);
  }

  close() {
    clearTimeout(this.timer);
    this.timer = null;
    this.path = null;
    this.place.hidden = true;
    this.place.replaceChildren();
  }

  /** Somebody changed a znode: is it one that is shown? */
  changed(path) {
    if (this.path === null || this.timer !== null) return;
    const parent = path.slice(0, path.lastIndexOf("/")) || "/";
    if (path !== this.path && parent !== this.path) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      if (!this.isEdited()) this.loadZnode();
      if (!this.pagedOn) this.loadChildren();
    }, AGAIN_MS);
  }

  crumbs(path) {
    const parts = path.split("/").filter(Boolean);
    const items = parts.map((part, i) => {
      const last = i === parts.length - 1;
      return el("li", {}, last ? el("span", { "aria-current": "location" }, part) : el("a", { href: treeLink(`/${parts.slice(0, i + 1).join("/")}`) }, part));
    });
    const root = parts.length === 0 ? el("span", { "aria-current": "location" }, "(root)") : el("a", { href: treeLink("/") }, "(root)");
    return el("nav", { "aria-label": "Where this znode is" }, el("ol", { class: "crumbs" }, el("li", {}, root), ...items));
  }

  goTo(path) {
    const input = el("input", { type: "text", id: "goto", value: path, spellcheck: "false", autocapitalize: "off", autocomplete: "off" });
    const form = el("form", { class: "goto" }, el("label", { for: "goto" }, "Path"), input, el("button", { type: "submit", class: "button" }, "Go"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      location.hash = treeLink(input.value.trim());
    });
    return form;
  }

  done(path) {
    if (path !== this.path) {
      location.hash = treeLink(path);
      return;
    }
    this.again();
    this.heading.focus();
  }

  /** Another may look at it now, or it is another. */
  again() {
    if (this.path === null) return;
    this.loadZnode();
    this.loadChildren();
  }

  /** What somebody is writing is not taken out of his hands. */
  isEdited() {
    return this.znodePlace.querySelector(".edit")?.contains(document.activeElement)
      || [...this.znodePlace.querySelectorAll(".edit textarea, .edit input")].some((field) => field.value !== field.defaultValue && field.value !== (field.dataset.was ?? ""));
  }

  say(text) {
    this.fault.textContent = text;
    this.fault.hidden = text === "";
  }

  async loadZnode() {
    const { path } = this;
    try {
      const znode = await ask("znode", { path, at: this.at });
      if (this.path !== path) return;
      this.say("");
      this.show(znode);
    } catch (error) {
      if (this.path !== path) return;
      this.say(error.status === 404 ? "There is no such znode (any more)." : error.status === 403
        ? "Its ACL does not let everybody read it: data, Stat and children are not shown." : `It cannot be shown: ${reason(error)}.`);
      this.znodePlace.replaceChildren();
    }
  }

  show(znode) {
    const parts = [];
    if (znode.data) parts.push(this.dataPart(znode));
    if (znode.stat) parts.push(statPart(znode));
    parts.push(aclPart(znode));
    if (this.writes && who() !== null && znode.stat) parts.push(editPart(znode, { done: (path) => this.done(path), fault: (text) => this.say(text) }));
    this.znodePlace.replaceChildren(...parts);
  }

  // ---- Data

  dataPart(znode) {
    const { data } = znode;
    const part = unhex(data.hex);
    const whole = part.length === data.bytes;
    const text = textOf(part);
    const json = text !== null && whole && /^\s*[[{]/.test(text) ? prettyJson(text) : null;
    const forms = { json, text, hex: hexDump(part, data.at) };
    const best = json !== null ? "json" : text !== null ? "text" : "hex";
    const form = this.form !== null && forms[this.form] !== null ? this.form : best;
    const shown = el("pre", { class: "data", tabindex: "0", "data-form": form, role: "region", "aria-label": "Data" }, forms[form]);
    const choices = Object.entries({ json: "JSON", text: "Text", hex: "Hex" }).filter(([key]) => forms[key] !== null).map(([key, title]) => {
      const button = el("button", { type: "button", class: "button", "aria-pressed": `${key === form}` }, title);
      button.addEventListener("click", () => {
        this.form = key;
        for (const other of choices) other.setAttribute("aria-pressed", `${other === button}`);
        shown.dataset.form = key;
        shown.textContent = forms[key];
      });
      return button;
    });
    const none = data.null ? "null: no data" : data.bytes === 0 ? "empty" : null;
    return el("section", { "aria-labelledby": "data-title" }, el("h2", { id: "data-title" }, "Data"),
      el("p", { class: "choices" }, ...(none ? [] : choices), ...this.pieces(data, part.length), el("span", { class: "dim" }, none ?? bytes(data.bytes))),
      none ? null : shown);
  }

  /** Long data comes in pieces. */
  pieces(data, length) {
    if (length === data.bytes) return [];
    const step = (title, at, possible) => {
      const button = el("button", { type: "button", class: "button", disabled: !possible }, title);
      button.addEventListener("click", () => {
        this.at = at;
        this.loadZnode();
      });
      return button;
    };
    this.pieceBytes = Math.max(this.pieceBytes ?? 0, length);
    return [step("Before", Math.max(0, data.at - this.pieceBytes), data.at > 0), step("Behind", data.at + length, data.at + length < data.bytes),
      el("span", { class: "dim" }, `bytes ${number(data.at)} to ${number(data.at + length)} of`)];
  }

  // ---- Children

  async loadChildren(after = "") {
    const { path } = this;
    try {
      const page = await ask("children", { path, after });
      if (this.path !== path) return;
      if (after === "") this.beginChildren(page);
      else this.pagedOn = true;
      const focus = after !== "" && this.more.contains(document.activeElement);
      const items = page.children.map((c) => child(path, c));
      this.list.append(...items);
      this.list.hidden = this.list.children.length === 0;
      this.more.replaceChildren();
      if (page.next !== null) this.more.append(this.moreButton(page));
      if (focus) items[0]?.querySelector("a").focus();
    } catch {
      if (this.path === path) this.childrenPlace.replaceChildren(); // what is wrong was said of the znode itself
    }
  }

  beginChildren(page) {
    this.pagedOn = false;
    this.list = el("ul", { class: "children", "aria-labelledby": "children-title" });
    this.more = el("p");
    const order = page.sorted ? null : el("p", { class: "subline small" }, "Too many to be sorted: in the order of their creation.");
    this.childrenPlace.replaceChildren(el("h2", { id: "children-title" }, page.count === 0 ? "No children" : plural(page.count, "child", "children")),
      ...(order ? [order] : []), this.list, this.more);
  }

  moreButton(page) {
    const left = page.count - this.list.children.length;
    const button = el("button", { type: "button", class: "button" }, `Show more (${number(left)} left)`);
    button.addEventListener("click", () => this.loadChildren(page.next));
    return button;
  }
}

function child(path, c) {
  const about = !c.readable ? "not readable" : [c.kind === "persistent" ? "" : c.kind, c.children > 0 ? plural(c.children, "child", "children") : "",
    c.bytes > 0 ? bytes(c.bytes) : ""].filter(Boolean).join(" · ");
  return el("li", {}, el("a", { href: treeLink(join(path, c.name)) }, el("span", { class: "name" }, c.name), el("span", { class: "about" }, about)));
}

function facts(title, id, pairs) {
  return el("section", { "aria-labelledby": id }, el("h2", { id }, title),
    el("dl", { class: "facts" }, ...pairs.flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)])));
}

function statPart({ stat, kind, owner, ttl_ms: ttl, as_of: asOf }) {
  const what = kind === "ephemeral" ? `ephemeral, of session ${owner}` : kind === "ttl" ? `gone ${span(ttl)} after its last change` : kind;
  return facts("Stat", "stat-title", [
    ["Kind", what],
    ["Created", `${moment(stat.ctime_ms)}, zxid ${stat.czxid}`],
    ["Changed", `${moment(stat.mtime_ms)}, zxid ${stat.mzxid}`],
    ["Children changed", `zxid ${stat.pzxid}`],
    ["Versions", `data ${stat.version}, children ${stat.cversion}, ACL ${stat.aversion}`],
    ["Children", number(stat.children)],
    ["Data", bytes(stat.bytes)],
    ["As of", `zxid ${asOf}`],
  ]);
}

function aclPart({ acl, acl_count: count, perms }) {
  const rows = acl.map((a) => el("tr", {}, el("th", { scope: "row" }, a.scheme), el("td", {}, el("code", {}, a.id)), el("td", {}, permissions(a.perms))));
  return el("section", { "aria-labelledby": "acl-title" }, el("h2", { id: "acl-title" }, "ACL"),
    el("p", { class: "subline" }, `You may ${permissions(perms)}.${count > acl.length ? ` The first ${number(acl.length)} of ${number(count)}:` : ""}`),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "acl-title" },
      el("table", {}, el("thead", {}, el("tr", {}, ...["Scheme", "Id", "May"].map((t) => el("th", { scope: "col" }, t)))), el("tbody", {}, ...rows))));
}
