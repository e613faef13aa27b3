// Segment's SDK for Node.js, driven by lines of JSON: argv is the folder of npm's packages, the host, the write key.
const { createInterface } = require("node:readline");
const { join } = require("node:path");

const [folder, host, writeKey] = process.argv.slice(2);
const { Analytics } = require(join(folder, "node_modules/@segment/analytics-node"));
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const httpClient = (url, options) =>
  fetch(url, options).catch((error) => {
    say({ status: 0 }); // nobody has answered
    throw error;
  });
const analytics = new Analytics({ host, writeKey, flushAt: 15, flushInterval: 100, httpClient });

const calls = {
  track: (n) => ({ userId: `u${n}`, event: "Product Viewed", properties: { product_id: `P${n}`, name: "Zelt für zwei 🏕" } }),
  identify: (n) => ({ userId: `u${n}`, anonymousId: `a${n}`, traits: { name: "Åse", n } }),
  page: (n) => ({ anonymousId: `a${n}`, category: "Tents", name: `Page ${n}`, properties: { n } }),
  screen: (n) => ({ anonymousId: `a${n}`, name: `Screen ${n}`, properties: { n } }),
  group: (n) => ({ userId: `u${n}`, groupId: `g${n}`, traits: { n } }),
  alias: (n) => ({ userId: `u${n}`, previousId: `a${n}` }),
};

analytics.on("http_response", ({ status }) => say({ status }));
createInterface({ input: process.stdin }).on("line", (line) => {
  const { kind, number } = JSON.parse(line);
  analytics[kind](calls[kind](number), (error, ctx) => say(error ? { failed: String(error) } : { made: ctx.event }));
});
