// One request for all elements of a page. What comes too late, or not at all, changes nothing on the page.
const MOST_LISTS = 20;
const MOST_SEEDS = 50;
const MOST_IN_CART = 100;
const LANG = /^[a-z]{2,8}(-[a-z0-9]{1,8})*$/i;
const waiting = new Set();

// Ask for an element, together with all others that are asked for in the same turn.
function ask(element) {
  if (!waiting.size) parsed.then(() => send());
  waiting.add(element);
}

function send() {
  const groups = new Map(); // language and currency are one for a whole request
  for (const element of waiting) {
    if (!element.isConnected) continue;
    const key = `${element.lang_} ${element.currency_}`;
    groups.set(key, [...(groups.get(key) ?? []), element]);
  }
  waiting.clear();
  for (const elements of groups.values()) {
    for (let place = 0; place < elements.length; place += MOST_LISTS) request(elements.slice(place, place + MOST_LISTS));
  }
}

async function request(elements) {
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(), settings.timeout);
  const left = elements.map((element) => ({ element, asked: element.asked() }));
  let answer;
  while (left.length) {
    // Too late, no network, no JSON: the browser's own console says which.
    answer = await post(bodyOf(left), control.signal).catch(() => null);
    if (!answer?.error) break;
    console.warn(`varde-recs: ${answer.error.field ?? ""} ${answer.error.message}`);
    const faulty = /^placements\[(\d+)\]/.exec(answer.error.field);
    if (!faulty) break;
    for (const { element, asked } of left.splice(Number(faulty[1]), 1)) element.failed(asked, "refused"); // not the others
  }
  clearTimeout(timer);
  left.forEach(({ element, asked }, place) => {
    const list = answer?.placements?.[place];
    if (list) element.answered(asked, { ...list, request_id: answer.request_id });
    else element.failed(asked, answer ? "refused" : "unanswered");
  });
}

// A text, without credentials: browsers send it without asking first (no preflight).
async function post(body, signal) {
  const url = `${settings.server}/v1/placements`;
  const response = await fetch(url, { method: "POST", body, signal, credentials: "omit" });
  return response.json();
}

function bodyOf(asked) {
  const [{ element }] = asked;
  const cart = [...new Set(asked.flatMap(({ element }) => listed(element.getAttribute("cart"))))];
  const placements = asked.map(({ element }, place) => {
    const items = listed(element.getAttribute("items")).slice(0, MOST_SEEDS);
    const item = element.getAttribute("item") || undefined;
    return {
      id: String(place),
      placement: element.getAttribute("placement") || undefined,
      item: items.length ? undefined : item,
      items: items.length ? [...new Set([...(item ? [item] : []), ...items])].slice(0, MOST_SEEDS) : undefined,
      n: element.n,
    };
  });
  return JSON.stringify({
    ...ids(),
    cart: cart.length ? cart.slice(0, MOST_IN_CART) : undefined,
    lang: element.lang_ || undefined,
    currency: element.currency_ || undefined,
    placements,
  });
}

// Ids separated by commas; or a JSON array, where an id may hold a comma.
function listed(text) {
  if (!text) return [];
  try {
    if (text.trim().startsWith("[")) return JSON.parse(text).map(String).filter(Boolean);
  } catch {
    console.warn(`varde-recs: not a JSON array: ${text}`);
    return [];
  }
  return text.split(",").map((id) => id.trim()).filter(Boolean);
}
