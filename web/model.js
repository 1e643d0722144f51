// What is known of the election, and words for it.

// Shapes that differ in print and for every eye.
const MARKS = ["●", "■", "▲", "◆", "✚", "★", "⬟", "▼"];
const COLOURS = 8;

export class Model {
  constructor(election) {
    this.election = election;
    this.phase = election;
    this.nation = null;
    this.results = new Map(); // by code
    this.states = new Map(election.states.map((s) => [s.code, s]));
    this.candidates = new Map(election.candidates.map((c, i) =>
      [c.id, { ...c, index: i, mark: MARKS[i % MARKS.length], colour: `var(--c${i % COLOURS})`, short: shortName(c.name) }]));
    this.updatedMs = 0;
  }

  /** Takes an event of the stream. */
  take(event, data) {
    if (event === "phase") {
      // Counts of another round, or such as are not shown any more.
      if (data.round !== this.phase.round || !data.shown) this.forget();
      this.phase = data;
    } else if (event === "state") {
      this.results.set(data.state, data);
    } else if (event === "nation") {
      this.nation = data;
    }
    this.updatedMs = Date.now();
  }

  forget() {
    this.results.clear();
    this.nation = null;
  }

  candidate(id) {
    return this.candidates.get(id) ?? null;
  }

  /** Where a state (or one of its districts) stands: what, who, and in which words. */
  standing(result) {
    if (!result) return { kind: "none", words: "no votes yet" };
    if (!result.known) return { kind: "unknown", words: "not known now" };
    const voters = total(result.counts);
    if (voters === 0) return result.final ? { kind: "none", words: "no votes" } : { kind: "none", words: "no votes yet" };
    if (result.tie) return { kind: "tie", words: result.final ? "tied" : "tied so far" };
    const who = this.candidate(result.leader);
    if (!who) return { kind: "none", words: "no votes yet" };
    return result.final ? { kind: "won", who, words: `${who.short} won` } : { kind: "leads", who, words: `${who.short} leads` };
  }

  /** Standings of a divided state's districts. */
  districts(result) {
    if (!result?.known) return [];
    return (result.districts ?? []).map((d) => ({ number: d.district, ...this.standing({ ...d, known: true, final: result.final }) }));
  }

  /** Electors of a candidate: in states whose result is final, and in others. */
  electors(id) {
    let won = 0;
    for (const [code, result] of this.results) {
      if (result.known && result.final) won += this.electorsOf(code, result, id);
    }
    const all = this.nation?.counts.find((c) => c.candidate === id)?.electors ?? 0;
    return { all, won: Math.min(won, all), leads: Math.max(0, all - won) };
  }

  electorsOf(code, result, id) {
    const state = this.states.get(code);
    const districts = result.districts ?? [];
    const single = districts.filter((d) => !d.tie && d.leader === id).length;
    const large = !result.tie && result.leader === id ? state.electors - districts.length : 0;
    return single + large;
  }
}

export const total = (counts) => counts.reduce((sum, c) => sum + c.votes, 0);

/** Counts with most votes first; equal ones as on the ballot. */
export function ranked(counts) {
  return counts.map((c, i) => [c, i]).sort(([a, i], [b, j]) => b.votes - a.votes || i - j).map(([c]) => c);
}

function shortName(name) {
  const words = name.replace(/,? (Jr|Sr|II|III)\.?$/, "").trim().split(/\s+/);
  return words[words.length - 1];
}

export const PHASES = {
  IDLE: "Not started", OPEN: "Voting is open", CLOSING: "Voting is closing", CLOSED: "Voting is over",
};
