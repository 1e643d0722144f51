// Server-sent events, read by hand: EventSource does not show comments, so that it cannot tell a quiet
// election from a dead line, and gives up for good when a server is busy.

const SILENCE_MS = 40_000; // the server says something every 15 s
const WAIT_MIN_MS = 500;
const WAIT_MAX_MS = 15_000;

/** Calls on.event(name, data) for each event, on.live(isLive) when that changes. */
export function follow(url, on) {
  let lastId = null;
  let wait = WAIT_MIN_MS;

  async function read() {
    const abort = new AbortController();
    let silence = setTimeout(() => abort.abort(), SILENCE_MS);
    try {
      const headers = lastId === null ? {} : { "Last-Event-ID": lastId };
      const response = await fetch(url, { headers, signal: abort.signal, cache: "no-store" });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const text = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const parse = parser((id) => { lastId = id; }, on.event);
      for (;;) {
        const { value, done } = await text.read();
        if (done) return;
        clearTimeout(silence);
        silence = setTimeout(() => abort.abort(), SILENCE_MS);
        wait = WAIT_MIN_MS;
        on.live(true);
        parse(value);
      }
    } finally {
      clearTimeout(silence);
      abort.abort();
    }
  }

  (async () => {
    for (;;) {
      try {
        await read();
      } catch { /* said below */ }
      on.live(false);
      // Not all at once, when a server goes down under its spectators.
      await sleep(wait * (0.5 + Math.random()));
      wait = Math.min(wait * 2, WAIT_MAX_MS);
    }
  })();
}

function sleep(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(over, ms);
    addEventListener("online", over, { once: true });
    function over() {
      clearTimeout(timer);
      removeEventListener("online", over);
      resolve();
    }
  });
}

/** Takes the text in pieces of any size. An id counts when its event is complete. */
function parser(onId, onEvent) {
  let rest = "";
  let name = "", data = [], id = null;

  function line(text) {
    if (text === "") {
      if (id !== null) onId(id);
      if (data.length > 0) onEvent(name || "message", JSON.parse(data.join("\n")));
      name = "";
      data = [];
      id = null;
      return;
    }
    const colon = text.indexOf(":");
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    else if (field === "data") data.push(value);
    else if (field === "id") id = value;
  }

  return (piece) => {
    const lines = (rest + piece).split("\n");
    rest = lines.pop();
    lines.forEach(line);
  };
}
