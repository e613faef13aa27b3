// Renders a template of Handlebars: its argument is the folder with npm's packages, its input {template, data}.
const handlebars = require(require.resolve("handlebars", { paths: [process.argv[2]] }));
handlebars.registerHelper("urlEncode", function (options) {
  return new handlebars.SafeString(encodeURIComponent(options.fn(this)));
});
let text = "";
process.stdin.on("data", (part) => { text += part; });
process.stdin.on("end", () => {
  const { template, data } = JSON.parse(text);
  process.stdout.write(handlebars.compile(template, { strict: true })(data));
});
