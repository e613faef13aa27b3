// Requests of the pages at /explore and /status, and the key that some of them need: kept in sessionStorage only, sent as X-Api-Key.
const KEPT = "varde-key";
const LATER = "varde-key-later";
const TIMEOUT_MS = 5000;
const SAID = "It stays in this tab, and is forgotten when the tab is closed.";

const $ = (id) => document.getElementById(id);
const refused = new Set(); // "read", "explain": what this page may not ask for with the key it has
let key = sessionStorage.getItem(KEPT) ?? "";
let pausedUntil = 0; // the server has said when to ask again
let changed = () => {};
let needed = "read"; // without it the page shows nothing
let title = "This shop's answers need a key";

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// The answer of a route, or an Error with its `status` (none when there was no answer). scope: what the route needs.
export async function ask(path, parameters = {}, scope = "read") {
  if (refused.has(scope)) throw new Refusal(401, "a key is needed");
  if (performance.now() < pausedUntil) throw new Refusal(429, "this key has asked too often");
  const used = key;
  try {
    return await answer(path, parameters, used);
  } catch (error) {
    if (used === key && (error.status === 401 || error.status === 403)) refuse(scope, error.status);
    throw error;
  }
}

// Whether answers that need this scope can be had, as far as is known.
export function may(scope) {
  return !refused.has(scope);
}

async function answer(path, parameters, shown) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ""));
  const response = await fetch(`${path}?${query}`, {
    // Without credentials a refusal opens no password prompt of the browser's own. Lists may have a max-age: ask anew.
    credentials: "omit",
    cache: "no-cache",
    headers: shown ? { "X-Api-Key": shown } : {},
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const body = await response.json();
  if (response.ok) return body;
  if (response.status === 429) pausedUntil = performance.now() + 1000 * (Number(response.headers.get("Retry-After")) || 1);
  throw new Refusal(response.status, body.error.message);
}

function refuse(scope, status) {
  if (status === 401 && key) {
    forget(); // it was somebody's key once; a wrong one is refused even where none is needed
    say("This key is not valid any more.");
    return;
  }
  if (refused.has(scope)) return;
  refused.add(scope);
  prompt();
  changed();
}

function forget() {
  key = "";
  sessionStorage.removeItem(KEPT);
  refused.clear();
  prompt();
  changed();
}

function prompt() {
  const must = refused.has(needed);
  $("key-form").hidden = !refused.size || (!must && sessionStorage.getItem(LATER) !== null);
  $("key-later").hidden = must;
  $("key-title").textContent = must ? title : "Scores, reasons and live figures need a key";
  $("key-forget").hidden = !key;
}

function say(text, bad = true) {
  $("key-note").textContent = text;
  $("key-note").classList.toggle("bad", bad);
}

async function tryKey(given) {
  const found = new Set();
  for (const [scope, path] of [["explain", "/v1/stats"], ["read", "/v1/popular"]]) {
    try {
      await answer(path, {}, given);
    } catch (error) {
      if (error.status === 401) return say("Nobody has this key.");
      if (error.status === 403) found.add(scope);
      else if (!error.status) return say("There was no answer. Try again.");
    }
  }
  if ([...refused].every((scope) => found.has(scope))) return say("This key is somebody's, but not for this page.");
  key = given;
  sessionStorage.setItem(KEPT, key);
  refused.clear();
  for (const scope of found) refused.add(scope);
  $("key").value = "";
  say(SAID, false);
  prompt();
  changed();
}

// Calls `then` whenever what may be asked for has changed. scope: without which the page shows nothing; its title then.
export function watchKey(then, scope = needed, told = title) {
  changed = then;
  needed = scope;
  title = told;
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if ($("key").value.trim()) tryKey($("key").value.trim());
  });
  $("key-later").addEventListener("click", () => {
    sessionStorage.setItem(LATER, "yes");
    prompt();
  });
  $("key-forget").addEventListener("click", () => {
    sessionStorage.removeItem(LATER);
    forget();
  });
  prompt();
}
