// What happens, newest first; and out loud only what matters to everybody: who leads.
import { clock, el, number, setText } from "./dom.js";
import { treeLink } from "./tree.js";

const SHOWN_MAX = 200;
const GROUPS = { election: "Elections", session: "Sessions", znode: "Znodes", trouble: "Trouble" };

const session = (e) => `session ${e.session}`;
const KINDS = {
  session_created: ["session", (e) => `${session(e)} began`],
  session_closed: ["session", (e) => `${session(e)} was closed`],
  session_expired: ["session", (e) => `${session(e)} expired`],
  session_moved: ["session", (e) => `${session(e)} moved to another server`],
  auth_failed: ["trouble", () => "a client could not show who it is"],
  snapshot_begun: ["session", () => "a snapshot is being taken"],
  snapshot_done: ["session", () => "the snapshot is on disk"],
  snapshot_failed: ["trouble", () => "a snapshot failed"],
  digest_mismatch: ["trouble", (e) => `the digest of the tree is not what the transaction says (zxid ${e.zxid})`],
  quota_exceeded: ["trouble", () => "a quota is exceeded"],
  writes_refused: ["trouble", () => "the disk is full: writes are refused"],
  writes_accepted: ["trouble", () => "writes are taken again"],
  state_replaced: ["election", () => "the whole state was replaced"],
  large_request_refused: ["trouble", () => "a large request was refused"],
  looking: ["election", (e) => `looks for a leader (round ${e.value})`],
  elected: ["election", (e) => `server ${e.value} is elected`],
  leading: ["election", (e) => `leads, epoch ${e.value}`],
  following: ["election", (e) => `follows server ${e.value}`],
  observing: ["election", (e) => `observes server ${e.value}`],
  serving: ["election", (e) => `serves, epoch ${e.value}`],
  serving_read_only: ["election", () => "serves reads only: no quorum"],
  role_lost: ["election", (e) => `lost its role${e.text ? `: ${e.text}` : ""}`],
  learner_synced: ["election", (e) => `server ${e.value} is in step${e.text ? ` (${e.text})` : ""}`],
  learner_gone: ["election", (e) => `server ${e.value} is gone${e.text ? `: ${e.text}` : ""}`],
  synced: ["election", (e) => `is in step with server ${e.value}${e.text ? ` (${e.text})` : ""}`],
  config_active: ["election", () => "a configuration of the ensemble became active"],
  created: ["znode", "created"],
  deleted: ["znode", "deleted"],
  changed: ["znode", "changed"],
  acl_changed: ["znode", "has another ACL"],
  reconfigured: ["election", () => "the ensemble was reconfigured"],
};

export class Events {
  constructor(parts, onPath) {
    this.parts = parts;
    this.onPath = onPath;
    this.shown = new Set(Object.keys(GROUPS));
    this.paused = false;
    this.next = 0;
    this.since = 0;
    this.newest = 0;
    this.waiting = [];
    this.buttons = Object.entries(GROUPS).map(([group, title]) => this.button(title, true, () => this.choose(group)));
    this.pause = this.button("Pause", false, () => this.setPaused(!this.paused));
    parts.choices.replaceChildren(...this.buttons, this.pause);
    parts.list.replaceChildren(el("li", { class: "none" }, "Nothing yet."));
  }

  button(title, pressed, press) {
    const button = el("button", { type: "button", class: "button", "aria-pressed": `${pressed}` }, title);
    button.addEventListener("click", press);
    return button;
  }

  choose(group) {
    if (!this.shown.delete(group)) this.shown.add(group);
    Object.keys(GROUPS).forEach((g, i) => this.buttons[i].setAttribute("aria-pressed", `${this.shown.has(g)}`));
    for (const item of this.parts.list.children) item.hidden = Boolean(item.dataset.group) && !this.shown.has(item.dataset.group);
  }

  setPaused(paused) {
    this.paused = paused;
    this.pause.setAttribute("aria-pressed", `${paused}`);
    if (!paused) this.add(this.waiting.splice(0));
  }

  /** What comes next may have the numbers of another life: time says what was shown already. */
  forget() {
    this.next = 0;
    this.since = this.newest;
  }

  take({ events, passed_over: passedOver }) {
    const fresh = events.filter((e) => e.number >= this.next && e.at_ms > this.since && KINDS[e.kind]);
    if (events.length > 0) {
      this.next = events.at(-1).number + 1;
      this.newest = events.at(-1).at_ms;
    }
    this.since = 0;
    if (this.paused) this.waiting = [...this.waiting, ...fresh].slice(-SHOWN_MAX);
    else this.add(fresh);
    this.parts.passed.hidden = passedOver === 0;
    setText(this.parts.passed, `${number(passedOver)} changes came too fast to be told here.`);
    for (const e of fresh) if (e.path) this.onPath(e.path, e.kind);
    return fresh;
  }

  add(events) {
    if (events.length === 0) return;
    const { list } = this.parts;
    list.querySelector(".none")?.remove();
    list.prepend(...events.map((e) => this.item(e)).reverse());
    while (list.children.length > SHOWN_MAX) list.lastChild.remove();
  }

  item(e) {
    const [group, words] = KINDS[e.kind];
    const what = typeof words === "string"
      ? el("span", {}, el("a", { href: treeLink(e.path) }, e.path + (e.cut ? "…" : "")), ` ${words}${e.session ? ` by ${session(e)}` : ""}`)
      : el("span", {}, words(e));
    const item = el("li", { "data-group": group, "data-kind": e.kind }, el("time", {}, clock(e.at_ms)), what);
    item.hidden = !this.shown.has(group);
    return item;
  }
}
