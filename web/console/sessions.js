// Sessions and watches.
import { el, number, plural } from "./dom.js";
import { ask, reason } from "./api.js";
import { treeLink } from "./tree.js";
import { duration, moment, span } from "./values.js";

const AGAIN_MS = 1000;

/** A table that is read page by page. */
class Paged {
  constructor({ title, heads, source, key, start, row, words, unlisted }) {
    Object.assign(this, { title, heads, source, key, start, row, words, unlisted });
    this.heading = el("h2", { id: `${source}-title` }, title);
    this.line = el("p", { class: "subline" });
    this.body = el("tbody");
    this.table = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": `${source}-title` },
      el("table", {}, el("thead", {}, el("tr", {}, ...heads.map(([text, kind]) => el("th", { scope: "col", class: kind ?? null }, text)))), this.body));
    this.more = el("p");
    this.place = el("section", { "aria-labelledby": `${source}-title` }, this.heading, this.line, this.table, this.more);
    this.pages = 0;
  }

  async load(from = this.start) {
    try {
      const page = await ask(this.source, { [this.key]: from });
      const rows = page[this.source].map((r) => this.row(r));
      if (from === this.start) {
        this.body.replaceChildren();
        this.pages = 0;
      }
      const focus = this.more.contains(document.activeElement);
      this.pages++;
      this.body.append(...rows);
      this.line.textContent = page.listed ? this.words(page) : `${this.words(page)} ${this.unlisted}`;
      this.table.hidden = this.body.children.length === 0;
      this.more.replaceChildren();
      if (page.next !== null) this.more.append(this.moreButton(page.next));
      if (focus) this.table.focus();
    } catch (error) {
      this.line.textContent = `Not to be had: ${reason(error)}.`;
      this.table.hidden = this.body.children.length === 0;
    }
  }

  moreButton(next) {
    const button = el("button", { type: "button", class: "button" }, "Show more");
    button.addEventListener("click", () => this.load(next));
    return button;
  }

  /** Not under the eyes of who has paged on. */
  again() {
    if (this.pages <= 1) this.load();
  }
}

const cell = (text, kind) => el("td", { class: kind ?? null }, text);

function sessionRow(s) {
  const c = s.connection;
  return el("tr", {}, el("th", { scope: "row" }, el("code", {}, s.session)), cell(span(s.timeout_ms)),
    cell(s.closing ? "is being closed" : s.expires_in_ms === undefined ? "" : `in ${span(s.expires_in_ms)}`),
    cell(c ? `${c.address}${c.secure ? ", TLS" : ""}` : s.server === undefined ? "at another server, or nowhere" : `at server ${s.server}`),
    cell(c ? moment(c.since_ms) : ""), cell(c ? c.last_op : ""), cell(c ? number(c.received) : "", "number"),
    cell(c ? `${duration(c.latency_mean_us)} (${duration(Math.max(0, c.latency_max_ms) * 1000)})` : "", "number"));
}

function watchRow(w) {
  const who = w.sessions.flatMap((s, i) => [i > 0 ? " " : "", el("code", {}, s)]);
  const left = w.count - w.sessions.length;
  return el("tr", {}, el("th", { scope: "row" }, w.path === null ? "a znode that not everybody may read" : el("a", { href: treeLink(w.path) }, w.path)),
    cell(number(w.count), "number"), el("td", {}, ...who, left > 0 ? ` and ${number(left)} more` : ""));
}

export class SessionsPage {
  constructor(place) {
    this.place = place;
    this.timer = null;
    this.parts = [];
  }

  open() {
    this.heading = el("h1", { tabindex: "-1" }, "Sessions and watches");
    this.parts = [
      new Paged({
        title: "Sessions", source: "sessions", key: "after", start: "0", row: sessionRow,
        heads: [["Session"], ["Timeout"], ["Expires"], ["Connected from"], ["Since"], ["Last request"], ["Requests", "number"], ["Latency, mean (longest)", "number"]],
        words: (p) => `${plural(p.count, "session")} in the ensemble, as this server knows them.${p.local > 0 ? ` ${plural(p.local, "more is", "more are")} local to this server.` : ""}`,
        unlisted: "Too many to be listed here: the command dump has them all.",
      }),
      new Paged({
        title: "Watches at this server", source: "watches", key: "from", start: "0", row: watchRow,
        heads: [["Path"], ["Watchers", "number"], ["Sessions"]],
        words: (p) => `${plural(p.count, "watch", "watches")}; ${plural(p.data_count, "data watch", "data watches")} by ${plural(p.watchers, "connection")} at ${plural(p.paths, "path")}${p.paths > 0 ? ":" : "."}`,
        unlisted: "Too many to be listed here: the command wchp has them all.",
      }),
    ];
    this.place.replaceChildren(this.heading, ...this.parts.map((p) => p.place));
    this.place.hidden = false;
    this.heading.focus();
    return Promise.all(this.parts.map((p) => p.load()));
  }

  close() {
    clearTimeout(this.timer);
    this.timer = null;
    this.parts = [];
    this.place.hidden = true;
    this.place.replaceChildren();
  }

  again() {
    for (const part of this.parts) part.again();
  }

  /** Once a second while it is looked at: sessions and watches come and go with every client. */
  tick() {
    if (this.parts.length === 0 || document.hidden || this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.again();
    }, AGAIN_MS);
  }
}
