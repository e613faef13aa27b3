// The live figures of the page at /explore, from answers of /v1/stats one after the other.
const RATE_OVER_MS = 10_000;
const FRESHNESS_OVER_MS = 30_000;
const FRESHNESS = "freshness_ms:"; // and the upper bound of a bucket, or inf
const NOTHING = "–";

const whole = new Intl.NumberFormat("en");
let looks = []; // [time, answer] of the last seconds

// [label, value, explanation] of every figure. stats: an answer of /v1/stats; now: ms on any clock that never goes back.
export function figuresOf(stats, now) {
  if (looks.length && stats.messages < looks.at(-1)[1].messages) looks = []; // Redis was emptied
  looks = [...looks.filter(([time]) => now - time <= FRESHNESS_OVER_MS), [now, stats]];
  return [
    ["events/s", rate(), "Over the last 10 s"],
    ["events", whole.format(stats.events), "Interactions, links of two ids and erasures since the start"],
    ["customers", whole.format(stats.customers), "With any view, cart or purchase that counts"],
    ["customer pairs", whole.format(stats.customer_pairs), "Pairs of items, summed over the customers who have them"],
    ["dead letters", whole.format(stats.rejected), "Faulty messages, kept with the reason"],
    ["freshness p50 / p99", freshness(), "From publication to the count, over the last 30 s"],
  ];
}

// The newest look and the oldest within `span` ms; null while there is only one.
function since(span) {
  const [now, after] = looks.at(-1);
  const [then, before] = looks.find(([time]) => now - time <= span);
  return now > then ? { seconds: (now - then) / 1000, before, after } : null;
}

function rate() {
  const lately = since(RATE_OVER_MS);
  if (!lately) return NOTHING;
  const perSecond = (lately.after.events - lately.before.events) / lately.seconds;
  return perSecond.toFixed(perSecond < 10 ? 1 : 0);
}

function freshness() {
  const found = quantiles([0.5, 0.99]);
  if (!found) return NOTHING;
  const slow = found.includes(Infinity); // then each needs its own unit
  return found.map((bound) => (bound === Infinity ? "> 1 h" : slow ? `${bound} s` : String(bound))).join(" / ") + (slow ? "" : " s");
}

// As varde.freshness.quantile, of what was counted lately: upper bounds of buckets in seconds; null when nothing was.
function quantiles(wanted) {
  const lately = since(FRESHNESS_OVER_MS);
  if (!lately) return null;
  const grown = Object.entries(lately.after.counters)
    .filter(([name]) => name.startsWith(FRESHNESS))
    .map(([name, n]) => [bound(name), n - (lately.before.counters[name] ?? 0)])
    .sort(([a], [b]) => a - b);
  const total = grown.reduce((sum, [, n]) => sum + n, 0);
  if (!total) return null;
  return wanted.map((q) => {
    let reached = 0;
    return grown.find(([, n]) => (reached += n) > 0 && reached / total >= q)[0];
  });
}

function bound(name) {
  return name.endsWith(":inf") ? Infinity : Number(name.slice(FRESHNESS.length)) / 1000;
}
