// Curves by hand: a line and its dashes say which is which, colour only repeats it.
import { el, number, setText } from "./dom.js";
import { duration } from "./values.js";

const SECONDS = 300;
const HEIGHT = 144, LEFT = 46, RIGHT = 4, TOP = 8, BOTTOM = 20;
// In the order of the server's samples (console/samples.h).
const FIELDS = ["wall_ms", "reads", "writes", "read_mean_us", "read_p99_ms", "write_mean_us", "write_p99_ms", "syncs", "sync_mean_us", "outstanding", "connections"];

const PLOTS = [
  {
    title: "Requests per second", unit: (v) => number(Math.round(v)), least: 10,
    curves: [{ name: "reads", of: (s) => s.reads }, { name: "writes", of: (s) => s.writes }],
  },
  {
    title: "Latency", unit: (v) => duration(v * 1000), least: 1,
    curves: [
      { name: "writes, 99 %", of: (s) => (s.writes > 0 ? s.write_p99_ms : null) },
      { name: "writes, mean", of: (s) => (s.writes > 0 ? s.write_mean_us / 1000 : null) },
      { name: "reads, mean", of: (s) => (s.reads > 0 ? s.read_mean_us / 1000 : null) },
    ],
  },
  {
    title: "Log", unit: (v) => number(Math.round(v)), least: 10,
    curves: [{ name: "syncs per second", of: (s) => s.syncs }, { name: "requests waiting", of: (s) => s.outstanding }],
  },
  {
    title: "Connections", unit: (v) => number(Math.round(v)), least: 4,
    curves: [{ name: "connections", of: (s) => s.connections }],
  },
];

function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("--")) element.style.setProperty(key, value);
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** The smallest of 1, 2, 4, 10, 20 ... that holds it: its half is a number for people as well. */
function ceiling(value, least) {
  let step = 10 ** Math.floor(Math.log10(Math.max(value, least)));
  for (const factor of [1, 2, 4, 10]) {
    if (factor * step >= value && factor * step >= least) return factor * step;
  }
  return 10 * step;
}

class Plot {
  constructor(plan) {
    this.plan = plan;
    this.values = plan.curves.map(() => el("b"));
    const keys = plan.curves.map((c, i) => el("span", { class: "key" },
      svg("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" }, svg("path", { class: "curve", "data-dash": i, "--c": `var(--c${i})`, d: "M1 4H23" })),
      c.name, this.values[i]));
    this.picture = svg("svg", { role: "img" });
    this.figure = el("figure", { class: "plot" }, el("figcaption", {}, el("b", {}, plan.title), ...keys), this.picture);
  }

  show(samples) {
    const { plan, picture } = this;
    const width = Math.max(200, this.figure.clientWidth - 26);
    const newest = samples.at(-1);
    const rows = plan.curves.map((c) => samples.map(c.of));
    const highest = rows.flat().reduce((a, b) => Math.max(a, b ?? 0), 0);
    const top = ceiling(highest, plan.least);
    const x = (s) => LEFT + (width - LEFT - RIGHT) * (1 - (newest.wall_ms - s.wall_ms) / (1000 * SECONDS));
    const y = (v) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - v / top);
    const parts = [];
    for (const v of [0, top / 2, top]) {
      parts.push(svg("path", { class: "grid", d: `M${LEFT} ${y(v)}H${width - RIGHT}` }));
      parts.push(svg("text", { x: LEFT - 6, y: y(v) + 4, "text-anchor": "end" }, plan.unit(v)));
    }
    for (const [minutes, words] of [[5, "5 min ago"], [0, "now"]]) {
      const at = LEFT + (width - LEFT - RIGHT) * (1 - minutes / 5);
      parts.push(svg("text", { x: at, y: HEIGHT - 4, "text-anchor": minutes > 0 ? "start" : "end" }, words));
    }
    rows.forEach((row, i) => parts.push(svg("path", { class: "curve", "data-dash": i, "--c": `var(--c${i})`, d: path(samples, row, x, y) })));
    picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    picture.replaceChildren(...parts);
    const words = plan.curves.map((c, i) => {
      const last = rows[i].at(-1);
      setText(this.values[i], last === null || last === undefined ? "–" : plan.unit(last));
      return `${c.name} ${last === null || last === undefined ? "none" : plan.unit(last)}`;
    });
    picture.setAttribute("aria-label", `${plan.title}, now: ${words.join(", ")}; highest of five minutes: ${plan.unit(highest)}`);
  }
}

/** A gap where nothing was measured: seconds missed, or no request to measure. */
function path(samples, row, x, y) {
  let d = "", pen = false, before = 0;
  samples.forEach((s, i) => {
    const value = row[i];
    if (value === null || s.wall_ms - before > 5000) pen = false;
    if (value !== null) {
      d += `${pen ? "L" : "M"}${x(s).toFixed(1)} ${y(value).toFixed(1)}`;
      if (!pen) d += "h.1";
      pen = true;
    }
    before = s.wall_ms;
  });
  return d;
}

export class Plots {
  constructor(place) {
    this.samples = [];
    this.plots = PLOTS.map((plan) => new Plot(plan));
    place.replaceChildren(...this.plots.map((p) => p.figure));
    addEventListener("resize", () => this.show());
  }

  forget() {
    this.samples = [];
  }

  take({ samples }) {
    for (const values of samples) this.samples.push(Object.fromEntries(FIELDS.map((name, i) => [name, values[i]])));
    this.samples = this.samples.slice(-SECONDS);
    this.show();
  }

  show() {
    if (this.samples.length === 0 || this.plots[0].figure.clientWidth === 0) return;
    for (const plot of this.plots) plot.show(this.samples);
  }
}
