// A state's own page: its counts, and the servers that keep them.
import { clock, el, number, percent, plural } from "./dom.js";
import { countList } from "./headline.js";
import { total } from "./model.js";

const CLUSTER_EVERY_MS = 5000;

export class StatePage {
  constructor(place, model) {
    this.place = place;
    this.model = model;
    this.code = null;
    this.shard = null;
    this.timer = null;
  }

  open(code) {
    this.close();
    this.code = code;
    this.place.hidden = false;
    this.heading = el("h1", { tabindex: "-1" }, this.model.states.get(code).name);
    this.standing = el("p", { class: "subline" });
    this.counts = el("div");
    this.kept = el("section", { "aria-labelledby": "kept-title" });
    this.place.replaceChildren(el("p", {}, el("a", { href: "#/", class: "back" }, "← All states")),
      this.heading, this.standing, this.counts, this.kept);
    this.show();
    this.heading.focus();
    this.ask();
    this.timer = setInterval(() => { if (!document.hidden) this.ask(); }, CLUSTER_EVERY_MS);
  }

  close() {
    clearInterval(this.timer);
    this.timer = null;
    this.code = null;
    this.shard = null;
    this.place.hidden = true;
    this.place.replaceChildren();
  }

  async ask() {
    const code = this.code;
    try {
      const response = await fetch(`/v1/cluster?state=${encodeURIComponent(code)}`);
      if (!response.ok) return;
      const cluster = await response.json();
      if (this.code !== code) return;
      this.shard = cluster.states[0];
      this.show();
    } catch { /* the line above says what is not live */ }
  }

  show() {
    if (this.code === null) return;
    const state = this.model.states.get(this.code);
    const result = this.model.results.get(this.code);
    const { words } = this.model.standing(result);
    const parts = [plural(state.electors, "elector"), words];
    if (result?.known && result.voters > 0) {
      parts.push(`${plural(result.voters, "voter")} counted${state.roll > 0 ? `, ${percent(result.voters, state.roll)} of the roll` : ""}`);
    }
    if (result && !result.known && result.why) parts.push(result.why);
    this.standing.textContent = parts.join(" · ");
    this.counts.replaceChildren(...this.countParts(state, result));
    this.kept.replaceChildren(...this.keptParts(result));
  }

  countParts(state, result) {
    if (!result?.known) {
      return [countList(this.model, state.ballot.map((id) => ({ candidate: id, votes: 0 })), false)];
    }
    const parts = [countList(this.model, result.counts)];
    for (const district of result.districts) {
      const { words } = this.model.standing({ ...district, known: true, final: result.final });
      parts.push(el("h2", {}, `District ${district.district}`), el("p", { class: "subline" }, `1 elector · ${words}`));
      if (total(district.counts) > 0) parts.push(countList(this.model, district.counts));
    }
    return parts;
  }

  keptParts(result) {
    const parts = [el("h2", { id: "kept-title" }, "How it is kept")];
    if (this.shard) parts.push(this.replicas());
    if (result?.known) parts.push(logHead(result));
    return parts;
  }

  replicas() {
    const rows = this.shard.replicas.map((r) => el("tr", {},
      el("th", { scope: "row" }, r.server || `member ${r.member}`),
      el("td", {}, r.leading ? "leads" : r.live ? "follows" : "away"),
      el("td", { class: "number" }, r.known ? number(r.committed) : ""),
      el("td", { class: "number" }, r.known ? number(r.counted) : ""),
      el("td", { class: "number" }, r.known ? number(r.epoch) : "")));
    const heads = [["Server"], ["Role"], ["Committed", "number"], ["Counted", "number"], ["Epoch", "number"]];
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Replicas" },
      el("table", {}, el("caption", { class: "unseen" }, "Replicas"),
        el("thead", {}, el("tr", {}, ...heads.map(([text, kind]) => el("th", { scope: "col", class: kind ?? null }, text)))),
        el("tbody", {}, ...rows)));
  }
}

function logHead(result) {
  const facts = [
    ["Leader", result.shard_leader || "nobody"],
    ["Epoch", number(result.epoch)],
    ["Records", number(result.index)],
    ...(result.lost > 0 ? [["Lost", `${number(result.lost)} counted before and given up: no server had them any more`]] : []),
    ["Root of the log", el("code", {}, result.root)],
    ["Chain", el("code", {}, result.chain)],
    ["Commit", `version ${number(result.commit_version)}`],
    ["Last change", result.commit_mtime_ms > 0 ? clock(result.commit_mtime_ms) : ""],
  ];
  return el("dl", { class: "facts" }, ...facts.flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]));
}
