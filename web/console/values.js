// Values in words.
import { number } from "./dom.js";

/** "0x500000003": in an order that numbers have, as BigInt. */
export const zxid = (text) => BigInt(text);
export const epochOf = (text) => Number(zxid(text) >> 32n);

/** How far `text` is behind `leader`: a count, or null when they are of different epochs. */
export function behind(text, leader) {
  const [a, b] = [zxid(text), zxid(leader)];
  if (a >> 32n !== b >> 32n) return null;
  return a >= b ? 0 : Number(b - a);
}

/** "0.41 ms", "12 ms", "1.2 s" */
export function duration(us) {
  const ms = us / 1000;
  if (ms >= 10_000) return `${number(Math.round(ms / 1000))} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 10 || ms === 0) return `${Math.round(ms)} ms`;
  return `${ms.toFixed(ms >= 1 ? 1 : 2)} ms`;
}

/** "3 s", "12 min", "5 h", "9 d" */
export function span(ms) {
  const s = Math.round(ms / 1000);
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86_400)} d`;
}

export function bytes(n) {
  if (n < 10_000) return `${number(n)} B`;
  if (n < 10_000_000) return `${number(Math.round(n / 1000))} kB`;
  return `${number(Math.round(n / 1_000_000))} MB`;
}

export const moment = (ms) => (ms > 0 ? new Date(ms).toLocaleString() : "never");

export function unhex(hex) {
  const out = new Uint8Array(hex.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return out;
}

/** The text of these bytes; null: they are none (not UTF-8, or full of control characters). */
export function textOf(data) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return null;
  }
  return /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/.test(text) ? null : text;
}

/** JSON with one value a line; each value as it was written, since numbers may be longer than JavaScript's. null: it is no JSON. */
export function prettyJson(text) {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g) ?? [];
  let out = "", depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  tokens.forEach((token, i) => {
    if (token === "{" || token === "[") {
      const empty = tokens[i + 1] === "}" || tokens[i + 1] === "]";
      depth++;
      out += token + (empty ? "" : line());
    } else if (token === "}" || token === "]") {
      depth--;
      const empty = tokens[i - 1] === "{" || tokens[i - 1] === "[";
      out += (empty ? "" : line()) + token;
    } else if (token === ",") {
      out += token + line();
    } else {
      out += token === ":" ? ": " : token;
    }
  });
  return out;
}

/** Sixteen bytes a line: offset, hexadecimal, and what of it is ASCII. */
export function hexDump(data, at) {
  const lines = [];
  for (let i = 0; i < data.length; i += 16) {
    const part = [...data.subarray(i, i + 16)];
    const hex = part.map((b) => b.toString(16).padStart(2, "0"));
    const left = hex.slice(0, 8).join(" "), right = hex.slice(8).join(" ");
    const ascii = part.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : ".")).join("");
    lines.push(`${(at + i).toString(16).padStart(6, "0")}  ${left.padEnd(23)}  ${right.padEnd(23)}  ${ascii}`);
  }
  return lines.join("\n");
}

const letters = { c: "create", d: "delete", r: "read", w: "write", a: "administer" };
export const permissions = (perms) => (perms === "" ? "nothing" : [...perms].map((p) => letters[p] ?? p).join(", "));
