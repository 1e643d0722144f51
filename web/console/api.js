// Questions to the server.

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Who is logged in: in the memory of this page and nowhere else; gone when it is left.
let credentials = null;

/** Null: nobody. */
export const setCredentials = (userAndPassword) => { credentials = userAndPassword; };
export const who = () => (credentials === null ? null : credentials.slice(0, credentials.indexOf(":")));

async function send(url, options) {
  const headers = { ...options.headers, ...(credentials === null ? {} : { Authorization: `digest ${credentials}` }) };
  const response = await fetch(url, { ...options, headers, cache: "no-store" });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer.error ?? `status ${response.status}`);
  return answer;
}

/** ask("znode", {path: "/a"}): the answer; a Refused when the server says no, with its reason. */
export const ask = (name, parameters = {}) => send(`api/${name}?${new URLSearchParams(parameters)}`, {});

/** tell("set", {path, data, version}), data in hex digits: likewise. */
export const tell = (name, what) => send(`api/${name}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(what) });

/** Why something could not be had, in words. */
export const reason = (error) => (error instanceof Refused ? error.message : "the server does not answer");
