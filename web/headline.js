// Who leads or has won, the electors' bar, the popular vote.
import { el, number, percent, plural, setText } from "./dom.js";
import { ranked, total } from "./model.js";

export function showHeadline(model, parts) {
  const { headline, subline } = words(model);
  setText(parts.headline, headline);
  setText(parts.subline, subline);
  parts.bar.replaceChildren(bar(model));
  parts.candidates.replaceChildren(candidates(model));
}

function words(model) {
  const { nation, phase, election } = model;
  const majority = `${number(election.majority)} of ${number(election.electors_total)} electors win`;
  if (phase.phase === "IDLE") return { headline: "The election has not started", subline: majority };
  if (!phase.shown) {
    return { headline: "Voting is under way", subline: "Counts are shown when the election is over." };
  }
  if (!nation || nation.voters === 0) return { headline: "No votes counted yet", subline: majority };
  const winner = model.candidate(nation.winner);
  if (winner) return { headline: `${winner.name} wins`, subline: standing(model) };
  const leader = model.candidate(nation.leader);
  const over = nation.states_final === election.states.length;
  if (leader) {
    return { headline: over ? `${leader.name} has most electors, but no majority` : `${leader.name} leads`, subline: standing(model) };
  }
  return { headline: nation.tie ? "A tie in electors" : "Nobody leads yet", subline: standing(model) };
}

function standing(model) {
  const { nation, election } = model;
  const roll = election.states.reduce((sum, s) => sum + s.roll, 0);
  const parts = [`${number(election.majority)} electors win`, `${plural(nation.voters, "voter")} counted`];
  if (roll > 0) parts[1] += `, ${percent(nation.voters, roll)} of the roll`;
  parts.push(`${number(nation.states_final)} of ${number(election.states.length)} states final`);
  if (nation.unavailable.length > 0) parts.push(`not known now: ${nation.unavailable.join(", ")}`);
  return parts.join(" · ");
}

/** From both ends towards the middle: whoever passes it has the majority. */
function bar(model) {
  const totalElectors = model.election.electors_total;
  const order = model.nation ? [...model.nation.counts].sort((a, b) => b.electors - a.electors) : [];
  const main = order.slice(0, 2).filter((c) => c.electors > 0)
    .sort((a, b) => model.candidate(a.candidate).index - model.candidate(b.candidate).index);
  const sides = [main[0] ?? null, main[1] ?? null];
  if (main.length === 1 && model.candidate(main[0].candidate).index % 2 === 1) sides.reverse();

  const segments = [];
  const put = (count, reverse) => {
    const who = model.candidate(count.candidate);
    const { won, leads } = model.electors(count.candidate);
    const two = [segment(who, won, totalElectors, "won"), segment(who, leads, totalElectors, "leads")];
    segments.push(...(reverse ? two.reverse() : two).filter(Boolean));
  };
  if (sides[0]) put(sides[0], false);
  order.slice(2).filter((c) => c.electors > 0).forEach((c) => put(c, false));
  const given = order.reduce((sum, c) => sum + c.electors, 0);
  segments.push(el("span", { class: "segment open", "--share": (totalElectors - given) / totalElectors }));
  if (sides[1]) put(sides[1], true);

  const ends = sides.map((c, i) => el("span", { class: i === 0 ? "end left" : "end right" },
    ...(c ? [name(model.candidate(c.candidate)), el("b", {}, number(c.electors))] : [""])));
  const spoken = order.filter((c) => c.electors > 0)
    .map((c) => {
      const { won, leads } = model.electors(c.candidate);
      return `${model.candidate(c.candidate).name} ${plural(c.electors, "elector")} (${won} won, ${leads} leading)`;
    });
  return el("div", {
    class: "electors", role: "img",
    "aria-label": `${spoken.join("; ") || "No electors yet"}. ${model.election.majority} win.`,
  }, el("div", { class: "ends" }, ...ends), el("div", { class: "track" }, ...segments),
  el("div", { class: "line" }, el("span", {}, `${number(model.election.majority)} to win`)));
}

function segment(who, electors, whole, kind) {
  return electors > 0
    ? el("span", { class: `segment ${kind}`, "--share": electors / whole, "--c": who.colour }) : null;
}

export function name(who) {
  return el("span", { class: "who", "--c": who.colour }, el("span", { class: "mark", "aria-hidden": "true" }, who.mark), who.short);
}

function candidates(model) {
  const counts = model.nation?.counts ?? model.election.candidates.map((c) => ({ candidate: c.id, votes: 0, electors: 0 }));
  return countList(model, counts, model.phase.shown);
}

/** A row for each candidate: name, electors if there are, votes, share. Used for states as well. */
export function countList(model, counts, shown = true) {
  const all = total(counts);
  const rows = ranked(counts).map((c) => {
    const who = model.candidate(c.candidate);
    const row = el("li", { class: "count", "--c": who.colour, "--share": all ? c.votes / all : 0 },
      el("span", { class: "name" }, el("span", { class: "mark", "aria-hidden": "true" }, who.mark), who.name));
    if (!shown || all === 0) return row;
    row.append(el("span", { class: "votes" }, `${number(c.votes)} ${c.votes === 1 ? "vote" : "votes"}`), el("span", { class: "share" }, percent(c.votes, all)));
    if (c.electors !== undefined) {
      row.append(el("span", { class: "electors-of" }, c.electors > 0 ? plural(c.electors, "elector") : ""));
    }
    row.append(el("span", { class: "share-bar", "aria-hidden": "true" }));
    return row;
  });
  return el("ul", { class: "counts" }, ...rows);
}
