// The same, for who reads.
import { el, number, percent, setText } from "./dom.js";
import { ranked, total } from "./model.js";

const SHOWN_MAX = 3; // candidates with a column of their own

export class StateTable {
  constructor(table, model) {
    this.model = model;
    this.rows = new Map();
    this.columns = this.makeColumns();
    this.sort = { column: this.columns[0], falling: false };
    this.body = el("tbody");
    this.heads = this.columns.map((c) => el("th", { scope: "col", class: c.number ? "number" : null },
      el("button", { type: "button" }, c.title)));
    this.heads.forEach((head, i) => head.firstChild.addEventListener("click", () => this.sortBy(this.columns[i])));
    table.replaceChildren(el("caption", { class: "unseen" }, "Votes by state"), el("thead", {}, el("tr", {}, ...this.heads)), this.body);
    for (const state of model.election.states) this.body.append(this.createRow(state));
    this.showAll();
  }

  makeColumns() {
    const { model } = this;
    const votes = (result, id) => (result?.known ? result.counts.find((c) => c.candidate === id)?.votes : undefined);
    const shown = (result) => result?.known && total(result.counts) > 0;
    return [
      { title: "State", text: (s) => s.name, value: (s) => s.name },
      { title: "Electors", number: true, text: (s) => number(s.electors), value: (s) => s.electors },
      { title: "Standing", text: (s, r) => this.standing(r), value: (s, r) => model.standing(r).words },
      ...model.election.candidates.slice(0, SHOWN_MAX).map((c) => ({
        title: model.candidate(c.id).short, number: true,
        text: (s, r) => (shown(r) && votes(r, c.id) !== undefined ? number(votes(r, c.id)) : ""),
        value: (s, r) => votes(r, c.id) ?? -1,
      })),
      {
        title: "Margin", number: true, value: (s, r) => (shown(r) ? margin(r) / total(r.counts) : -1),
        text: (s, r) => (shown(r) ? (margin(r) === 0 ? "tied" : `${number(margin(r))} (${percent(margin(r), total(r.counts))})`) : ""),
      },
      {
        title: "Counted", number: true, value: (s, r) => (shown(r) ? r.voters / (s.roll || r.voters) : -1),
        text: (s, r) => (shown(r) ? (s.roll > 0 ? percent(r.voters, s.roll) : number(r.voters)) : ""),
      },
    ];
  }

  standing(result) {
    const { who, words } = this.model.standing(result);
    return who ? `${who.mark} ${words}` : words;
  }

  createRow(state) {
    const cells = this.columns.map((c, i) => (i === 0
      ? el("th", { scope: "row" }, el("a", { href: `#/${state.code}` }, state.name))
      : el("td", { class: c.number ? "number" : null })));
    const row = el("tr", {}, ...cells);
    this.rows.set(state.code, { row, cells, state });
    return row;
  }

  show(code) {
    const entry = this.rows.get(code);
    if (!entry) return;
    const result = this.model.results.get(code);
    const standing = this.model.standing(result);
    entry.row.dataset.kind = standing.kind;
    entry.row.style.setProperty("--c", standing.who?.colour ?? "var(--quiet)");
    this.columns.forEach((c, i) => { if (i > 0) setText(entry.cells[i], c.text(entry.state, result)); });
  }

  showAll() {
    for (const code of this.rows.keys()) this.show(code);
    this.order();
  }

  sortBy(column) {
    const falling = this.sort.column === column ? !this.sort.falling : Boolean(column.number);
    this.sort = { column, falling };
    this.order();
  }

  /** Only when asked: rows that move by themselves cannot be read. */
  order() {
    const { column, falling } = this.sort;
    const entries = [...this.rows.values()].map((e) => [column.value(e.state, this.model.results.get(e.state.code)), e]);
    entries.sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : 0) * (falling ? -1 : 1) || x.state.name.localeCompare(y.state.name));
    this.body.append(...entries.map(([, e]) => e.row));
    this.heads.forEach((head, i) => {
      if (this.columns[i] === column) head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }
}

function margin(result) {
  const [first, second] = ranked(result.counts);
  return first ? first.votes - (second?.votes ?? 0) : 0;
}
