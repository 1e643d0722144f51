// The servers, as the one that serves this page knows them.
import { el, number, plural, setText } from "./dom.js";
import { behind, bytes, duration, epochOf, span, zxid } from "./values.js";

const ROLES = {
  leader: "leads", follower: "follows", observer: "observes", standalone: "alone", "read-only": "read-only", leaderelection: "looks for a leader",
};
const HEADS = [["Server"], ["Role"], ["Zxid"], ["Behind", "number"], ["Latency, mean (longest)", "number"], ["Connections", "number"],
  ["Waiting", "number"], ["Version"]];

/** "Server 3 leads", and the like. */
export function headline(e) {
  if (e.alone) return "One server, alone";
  const of = `an ensemble of ${number(e.servers.length)}`;
  if (e.mode === "leader") return `Server ${e.self} leads ${of}`;
  if (e.leader >= 0 && e.mode !== "read-only") return `Server ${e.leader} leads ${of}`;
  return e.mode === "read-only" ? "No quorum: reads only" : "No leader is known here";
}

export class EnsemblePage {
  constructor(parts) {
    this.parts = parts;
    this.rows = new Map();
    this.body = el("tbody");
    parts.servers.replaceChildren(
      el("caption", { class: "unseen" }, "Servers of the ensemble"),
      el("thead", {}, el("tr", {}, ...HEADS.map(([text, kind]) => el("th", { scope: "col", class: kind ?? null }, text)))), this.body);
  }

  show(e) {
    setText(this.parts.headline, headline(e));
    const you = e.alone ? "" : `This is server ${e.self}: ${e.state}. `;
    setText(this.parts.subline, `${you}Epoch ${number(e.epoch)} · ${plural(e.znodes, "znode")}, ${number(e.ephemerals)} of them ephemeral, `
      + `${bytes(e.data_bytes)} · ${plural(e.sessions, "session")} · ${plural(e.watches, "watch", "watches")} · up for ${span(e.uptime_ms)}`);
    setText(this.parts.notice, e.not_ready ? `This server is not ready for clients: ${e.not_ready}.` : "");
    this.parts.notice.hidden = !e.not_ready;
    const leader = e.servers.find((s) => s.mode === "leader" || s.mode === "standalone");
    const seen = new Set();
    for (const s of e.servers) {
      seen.add(s.sid);
      this.showServer(s, leader, e);
    }
    for (const [sid, row] of this.rows) {
      if (seen.has(sid)) continue;
      row.remove();
      this.rows.delete(sid);
    }
    setText(this.parts.asked, this.sources(e));
  }

  sources(e) {
    if (e.alone) return "";
    const asked = e.servers.filter((s) => s.known === "asked").length;
    const others = e.servers.filter((s) => !s.self && s.known !== "asked");
    const parts = [];
    if (asked > 0) parts.push(`${plural(asked, "other server was", "other servers were")} asked at the client port within the last seconds: while much is written, a server seems behind by what came since.`);
    for (const s of others) parts.push(`Server ${s.sid}: ${s.why}${s.known === "quorum" ? "; shown is what this server knows of it" : ""}.`);
    return parts.join(" ");
  }

  showServer(s, leader, e) {
    let row = this.rows.get(s.sid);
    if (!row) {
      row = el("tr", {}, el("th", { scope: "row" }, el("span"), el("span", { class: "here" })), el("td", {}, el("span", { class: "role" })),
        ...HEADS.slice(2).map(([, kind]) => el("td", { class: kind ?? null })));
      this.rows.set(s.sid, row);
      this.body.append(row);
    }
    const [name, role, last, lag, latency, connections, waiting, version] = row.children;
    setText(name.firstChild, e.alone ? "this server" : `${s.sid}`);
    setText(name.lastChild, [e.alone ? "" : (s.client ?? s.address ?? ""), s.self && !e.alone ? "(this one)" : ""].filter(Boolean).join(" "));
    row.dataset.sid = s.sid;
    role.firstChild.dataset.role = ["leader", "follower", "observer", "standalone"].includes(s.mode) ? s.mode : "none";
    setText(role.firstChild, s.mode ? (ROLES[s.mode] ?? s.mode) : s.known === "no" ? s.why : "not known");
    const at = s.acked ?? s.zxid;
    setText(last, at ?? "");
    setText(lag, lagOf(s, at, leader));
    setText(latency, s.latency_mean_us === undefined ? "" : `${duration(s.latency_mean_us)} (${duration(s.latency_max_ms * 1000)})`);
    setText(connections, s.connections === undefined ? "" : number(s.connections));
    setText(waiting, s.outstanding === undefined ? "" : number(s.outstanding));
    setText(version, s.version ?? "");
  }
}

function lagOf(s, at, leader) {
  if (at === undefined || leader?.zxid === undefined) return "";
  if (s === leader) return "";
  const count = behind(at, leader.zxid);
  if (count !== null) return number(count);
  // Who follows has all of the epoch before, and nothing was written in this one yet.
  if (s.mode !== undefined && zxid(leader.zxid) === BigInt(epochOf(leader.zxid)) << 32n) return "0";
  return epochOf(at) < epochOf(leader.zxid) ? "an epoch" : "ahead";
}
