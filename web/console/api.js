// Questions to the server.

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** ask("znode", {path: "/a"}): the answer; a Refused when the server says no, with its reason. */
export async function ask(name, parameters = {}) {
  const response = await fetch(`api/${name}?${new URLSearchParams(parameters)}`, { cache: "no-store" });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer.error ?? `status ${response.status}`);
  return answer;
}

/** Why something could not be had, in words. */
export const reason = (error) => (error instanceof Refused ? error.message : "the server does not answer");
