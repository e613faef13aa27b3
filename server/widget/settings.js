// What the script tag says, and what the page pushes onto `varde`.
const LIBRARY = { name: "varde-recs", version: "1" };
const tag = document.currentScript ?? document.querySelector('script[src*="/varde-recs.js"]');
const settings = {
  server: tag?.dataset.server || new URL(tag?.src || location.href).origin,
  writeKey: tag?.dataset.writeKey,
  timeout: Number(tag?.dataset.timeout) || 400, // ms until an answer is too late
  productKey: tag?.dataset.productKey || "product_id", // the property that the shop's events have item ids in
};

// Words that a shopper may hear or see; `varde.push({texts: {…}})` sets others.
const texts = {};
const TEXTS = {
  en: ["Recommended", "Previous", "Next", "Price"],
  ar: ["موصى به", "السابق", "التالي", "السعر"],
  da: ["Anbefalet", "Forrige", "Næste", "Pris"],
  de: ["Empfehlungen", "Zurück", "Weiter", "Preis"],
  es: ["Recomendaciones", "Anterior", "Siguiente", "Precio"],
  fi: ["Suositeltua", "Edellinen", "Seuraava", "Hinta"],
  fr: ["Recommandations", "Précédent", "Suivant", "Prix"],
  nb: ["Anbefalt", "Forrige", "Neste", "Pris"],
  nl: ["Aanbevolen", "Vorige", "Volgende", "Prijs"],
  no: ["Anbefalt", "Forrige", "Neste", "Pris"],
  sv: ["Rekommenderat", "Föregående", "Nästa", "Pris"],
};
const WORDS = ["heading", "previous", "next", "price"];

function word(name, lang) {
  const known = TEXTS[lang.toLowerCase().split("-")[0]] ?? TEXTS.en;
  return texts[name] ?? known[WORDS.indexOf(name)];
}

// Once the page is parsed an element has all of its children, and all elements are there to be asked for together.
const parsed = new Promise((resolve) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", resolve, { once: true });
  else resolve();
});

function make(name, part, text) {
  const node = document.createElement(name);
  node.setAttribute("part", part);
  if (text !== undefined) node.textContent = text; // never markup
  return node;
}

// An address that a browser may follow, or null: neither `javascript:` nor `data:` gets into a page.
function address(text) {
  try {
    const url = new URL(text, document.baseURI);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}
