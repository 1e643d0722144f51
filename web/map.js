// A tile for each state, all of the same size: a map by area would show land, and not votes.
import { el, number, percent, plural, setText } from "./dom.js";
import { total } from "./model.js";

export class TileMap {
  constructor(list, model) {
    this.list = list;
    this.model = model;
    this.tiles = new Map();
    const placed = model.election.states.filter((s) => s.column > 0 && s.row > 0);
    const columns = Math.max(8, ...placed.map((s) => s.column));
    list.style.setProperty("--columns", columns);
    // In reading order, so that the keyboard goes as the eye does.
    const order = [...model.election.states].sort((a, b) => (a.row || 99) - (b.row || 99) || a.column - b.column);
    list.replaceChildren(...order.map((s) => this.create(s)));
    list.addEventListener("keydown", (event) => this.move(event));
    for (const s of order) this.show(s.code);
  }

  create(state) {
    const parts = {
      code: el("span", { class: "code", "aria-hidden": "true" }, state.code),
      sign: el("span", { class: "sign", "aria-hidden": "true" }),
      electors: el("span", { class: "tile-electors", "aria-hidden": "true" }, number(state.electors)),
      districts: el("span", { class: "pips", "aria-hidden": "true" }),
      spoken: el("span", { class: "unseen" }),
    };
    const link = el("a", { class: "tile", href: `#/${state.code}`, "data-state": state.code },
      el("span", { class: "fill", "aria-hidden": "true" }), parts.code, parts.sign, parts.electors, parts.districts, parts.spoken);
    const item = el("li", state.column > 0 && state.row > 0 ? { "--column": state.column, "--row": state.row, class: "placed" } : {}, link);
    this.tiles.set(state.code, { link, state, ...parts });
    return item;
  }

  show(code) {
    const tile = this.tiles.get(code);
    if (!tile) return;
    const result = this.model.results.get(code);
    const standing = this.model.standing(result);
    const counted = standing.kind === "won" ? 1 : share(result, tile.state);
    tile.link.dataset.kind = standing.kind;
    tile.link.style.setProperty("--c", standing.who?.colour ?? "var(--quiet)");
    tile.link.style.setProperty("--counted", standing.kind === "none" || standing.kind === "unknown" ? 0 : Math.max(counted, 0.06));
    setText(tile.sign, { won: `${standing.who?.mark}✓`, leads: standing.who?.mark, tie: "=", unknown: "?" }[standing.kind] ?? "");
    tile.districts.replaceChildren(...this.model.districts(result).filter((d) => d.kind !== "none").map((d) =>
      el("span", { class: `pip ${d.kind}`, "--c": d.who?.colour ?? "var(--quiet)" }, d.who?.mark ?? (d.kind === "tie" ? "=" : ""))));
    setText(tile.spoken, describe(this.model, tile.state, result));
  }

  showAll() {
    for (const code of this.tiles.keys()) this.show(code);
  }

  /** Arrow keys: the nearest tile in that direction. */
  move(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const from = this.tiles.get(event.target.closest?.("[data-state]")?.dataset.state)?.state;
    if (!step || !from) return;
    let best = null, bestDistance = Infinity;
    for (const { state, link } of this.tiles.values()) {
      const ahead = (state.column - from.column) * step[0] + (state.row - from.row) * step[1];
      const aside = Math.abs((state.column - from.column) * step[1]) + Math.abs((state.row - from.row) * step[0]);
      const distance = ahead + 2.5 * aside;
      if (ahead > 0 && distance < bestDistance) {
        best = link;
        bestDistance = distance;
      }
    }
    if (best) {
      event.preventDefault();
      best.focus();
    }
  }
}

function share(result, state) {
  if (!result?.known) return 0;
  return state.roll > 0 ? Math.min(1, result.voters / state.roll) : result.voters > 0 ? 1 : 0;
}

/** "California, 54 electors: Harris leads, 58.5 % to 38.3 %, 12 % counted". */
export function describe(model, state, result) {
  const standing = model.standing(result);
  let text = `${state.name}, ${plural(state.electors, "elector")}: ${standing.words}`;
  if (standing.kind === "leads" || standing.kind === "won") {
    const all = total(result.counts);
    const [first, second] = [...result.counts].sort((a, b) => b.votes - a.votes);
    text += `, ${percent(first.votes, all)}${second ? ` to ${percent(second.votes, all)}` : ""}`;
  }
  if (result?.known && state.roll > 0 && standing.kind !== "none") text += `, ${percent(result.voters, state.roll)} counted`;
  for (const d of model.districts(result)) {
    if (d.kind !== "none") text += `; district ${d.number}: ${d.words}`;
  }
  return text;
}

export function legend(model) {
  const known = model.election.candidates.slice(0, 8).map((c) => model.candidate(c.id));
  return [
    ...known.map((who) => el("span", { class: "key", "--c": who.colour }, el("span", { class: "mark", "aria-hidden": "true" }, who.mark), who.short)),
    el("span", { class: "key" }, el("span", { class: "sample leads", "aria-hidden": "true" }), "leads, filled as far as counted"),
    el("span", { class: "key" }, el("span", { class: "sample won", "aria-hidden": "true" }), "won, final"),
    el("span", { class: "key" }, el("b", { "aria-hidden": "true" }, "="), "tied"),
    el("span", { class: "key" }, el("b", { "aria-hidden": "true" }, "?"), "not known now"),
  ];
}
