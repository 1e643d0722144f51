// What is shown when.
import { ask } from "./api.js";
import { clock, setText } from "./dom.js";
import { EnsemblePage, headline } from "./ensemble.js";
import { Events } from "./events.js";
import { Login } from "./login.js";
import { Plots } from "./plots.js";
import { SessionsPage } from "./sessions.js";
import { follow } from "./stream.js";
import { TreePage, treePath } from "./tree.js";
import { textOf, unhex } from "./values.js";

const $ = (id) => document.getElementById(id);

const ensemble = new EnsemblePage(Object.fromEntries(["headline", "subline", "notice", "servers", "asked"].map((id) => [id, $(id)])));
const plots = new Plots($("plots"));
const tree = new TreePage($("tree"));
const sessions = new SessionsPage($("sessions"));
const events = new Events({ list: $("events"), choices: $("event-choices"), passed: $("passed") }, (path) => tree.changed(path));

new Login({ button: $("login-button"), form: $("login"), user: $("user"), password: $("password"), fault: $("login-fault") }, () => tree.path ?? "/", () => {
  tree.again();
  sessions.again();
});

// ---- The stream

let live = false, fresh = true, updatedMs = 0, said = null;

function showLive(now) {
  const place = $("live");
  place.dataset.live = now ? "yes" : "no";
  setText(place, now ? "Live" : updatedMs > 0 ? `Not live since ${clock(updatedMs)}. Reconnecting` : "Not live. Connecting");
  document.body.classList.toggle("stale", !now);
}

/** For who listens: who leads, when that changes. */
function tell(words) {
  if (said !== null && said !== words) $("news").textContent = `${words}.`;
  said = words;
}

function title(e) {
  const name = e.alone ? "Coordination server" : `Coordination server ${e.self}`;
  setText($("title"), name);
  document.title = name;
}

// ---- The election that is coordinated here, if there is one

const ELECTION = "/Election/Global/LiveNodes"; // a znode for each of its servers, which says where it is
let electionLinked = false;

async function linkElection() {
  if (electionLinked) return;
  electionLinked = true;
  try {
    const { children } = await ask("children", { path: ELECTION });
    const { data } = await ask("znode", { path: `${ELECTION}/${children[0].name}` });
    const [, host, port] = /^rest=([\w.-]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/m.exec(textOf(unhex(data.hex)));
    $("election").href = `//${host === "0.0.0.0" || host === "[::]" ? location.hostname : host}:${port}/`;
    $("election").hidden = false;
  } catch {
    setTimeout(() => { electionLinked = false; }, 10_000); // none of its servers is there now
  }
}

const takes = {
  ensemble(e) {
    if (!e.servers) return; // it is starting, or stopping
    ensemble.show(e);
    title(e);
    if (tree.writes !== e.writes) {
      tree.writes = e.writes;
      tree.again();
    }
    tell(headline(e));
    if (e.election) linkElection();
    sessions.tick();
  },
  samples(data) {
    if (fresh) plots.forget();
    fresh = false;
    plots.take(data);
  },
  events(data) {
    events.take(data);
  },
};

follow("api/stream", {
  event(name, data) {
    updatedMs = Date.now();
    setText($("updated"), `Updated ${clock(updatedMs)}.`);
    takes[name]?.(data);
  },
  live(now) {
    if (!now && live) {
      fresh = true;
      events.forget();
    }
    if (now !== live || !now) showLive(now);
    live = now;
  },
});

// ---- Addresses

function route() {
  const { hash } = location;
  if (hash === "#main") return; // the skip link
  const part = hash.startsWith("#/tree") ? "tree" : hash === "#/sessions" ? "sessions" : "ensemble";
  $("ensemble").hidden = part !== "ensemble";
  if (part !== "tree") tree.close();
  if (part !== "sessions") sessions.close();
  if (part === "tree") tree.open(treePath(hash) ?? "/");
  if (part === "sessions") sessions.open();
  if (part === "ensemble") plots.show();
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.dataset.part === part) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}
addEventListener("hashchange", route);
route();
