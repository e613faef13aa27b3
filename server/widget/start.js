// The one global: `varde`, an array until this script comes, so that a page may push before.
function refresh() {
  for (const element of document.querySelectorAll("varde-recs")) if (element.hasAttribute("state")) element.ask(true);
}

function consent(given) {
  if (consented === (given === true)) return;
  consented = given === true;
  messages.length = 0; // of somebody who did not agree, or does not any more
  refresh();
}

function take(said) {
  for (const name of Object.keys(settings)) if (said?.[name] !== undefined) settings[name] = said[name];
  Object.assign(texts, said?.texts);
  if (said?.consent !== undefined) consent(said.consent);
  if (said?.refresh) refresh();
}

if (!customElements.get("varde-recs")) {
  const before = Array.isArray(window.varde) ? window.varde : [];
  window.varde = { push: (...said) => said.forEach(take), consent, refresh };
  window.varde.push(...before); // first: the first question may need to know who asks
  customElements.define("varde-recs", Recommendations);
}
