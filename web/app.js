// What is shown when.
import { clock, setText } from "./dom.js";
import { showHeadline } from "./headline.js";
import { legend, TileMap } from "./map.js";
import { Model, PHASES } from "./model.js";
import { StatePage } from "./state.js";
import { follow } from "./stream.js";
import { StateTable } from "./table.js";

const NEWS_EVERY_MS = 5000; // a screen reader is not to be talked over

const $ = (id) => document.getElementById(id);
const parts = Object.fromEntries(["headline", "subline", "bar", "candidates"].map((id) => [id, $(id)]));

async function load() {
  for (let wait = 500; ; wait = Math.min(wait * 2, 15000)) {
    try {
      const response = await fetch("/v1/election");
      if (response.ok) return await response.json();
    } catch { /* tried again */ }
    showLive(false, 0);
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

function showLive(live, updatedMs) {
  const place = $("live");
  place.dataset.live = live ? "yes" : "no";
  setText(place, live ? "Live" : updatedMs > 0 ? `Not live since ${clock(updatedMs)}. Reconnecting` : "Not live. Connecting");
  document.body.classList.toggle("stale", !live);
}

const model = new Model(await load());
document.title = model.election.title || "Results";
setText($("title"), model.election.title || model.election.id);
if (/^https?:\/\//.test(model.election.console ?? "")) {
  $("console").href = model.election.console;
  $("console").hidden = false;
}
$("legend").replaceChildren(...legend(model));
const map = new TileMap($("map"), model);
const table = new StateTable($("table"), model);
const page = new StatePage($("state"), model);

// ---- Drawing: once per frame, whatever came

const changed = new Set();
let all = true, drawing = false, live = false;

function draw() {
  drawing = false;
  if (all) {
    map.showAll();
    table.showAll();
  } else {
    for (const code of changed) {
      map.show(code);
      table.show(code);
    }
  }
  if (all || changed.has(page.code)) page.show();
  showHeadline(model, parts);
  const final = model.nation && model.nation.states_final === model.election.states.length;
  setText($("phase"), PHASES[model.phase.phase] + (model.phase.phase === "CLOSED" ? (final ? ": final" : ": not yet final") : ""));
  if (model.updatedMs > 0) setText($("updated"), `Updated ${clock(model.updatedMs)}.`);
  changed.clear();
  all = false;
}

function later() {
  if (!drawing) requestAnimationFrame(draw);
  drawing = true;
}

// ---- News, for who listens

const told = new Map();
let waiting = [], newsTimer = null;

function tell(code) {
  const { kind, words } = model.standing(model.results.get(code));
  const before = told.get(code);
  told.set(code, words);
  if (before === undefined || before === words || kind === "none") return;
  waiting.push(`${model.states.get(code).name}: ${words}.`);
  newsTimer ??= setTimeout(() => {
    newsTimer = null;
    $("news").textContent = waiting.length > 4 ? `${waiting.slice(-4).join(" ")} And ${waiting.length - 4} more.` : waiting.join(" ");
    waiting = [];
  }, NEWS_EVERY_MS);
}

// ---- Addresses

function route() {
  const code = decodeURIComponent(location.hash.replace(/^#\/?/, "")).toUpperCase();
  const known = model.states.has(code);
  if (!known && location.hash === "#table") return; // the skip link
  const came = page.code;
  $("nation").hidden = known;
  if (known) {
    page.open(code);
  } else {
    page.close();
    if (came) (document.querySelector(`.tile[data-state="${came}"]`) ?? $("main")).focus();
  }
  document.title = known ? `${model.states.get(code).name} · ${model.election.title}` : model.election.title;
}
addEventListener("hashchange", route);
route();
draw();

follow("/v1/results/stream", {
  event(name, data) {
    const round = model.phase.round, shown = model.phase.shown;
    model.take(name, data);
    if (name === "state") {
      changed.add(data.state);
      tell(data.state);
    } else if (round !== model.phase.round || shown !== model.phase.shown) {
      all = true;
      told.clear();
    }
    later();
  },
  live(now) {
    if (now !== live || !now) showLive(now, model.updatedMs);
    live = now;
  },
});
