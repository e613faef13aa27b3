// The least style that a list needs. Any rule of the shop's that names `varde-recs [part~=…]` is stronger, the card's
// fonts and colours are the page's own, and the rest is custom properties. A constructed sheet is no inline style.
const CSS = `
:where(varde-recs) { display: block; --_gap: var(--varde-gap, 1rem) }
:where(varde-recs), :where(varde-recs) > [part~="section"] { box-sizing: border-box }
varde-recs[hidden] { display: none !important }
:where(varde-recs)[state="empty"] > [part~="section"] { visibility: hidden }
:where(varde-recs) [part~="header"] {
  display: flex; align-items: center; justify-content: space-between; gap: 1rem; margin-block-end: .75rem
}
:where(varde-recs) [part~="heading"] { margin: 0; font-size: 1.25rem; line-height: 1.3; text-wrap: balance }
:where(varde-recs) [part~="controls"] { display: flex; gap: .5rem; margin-inline-start: auto; flex: none }
:where(varde-recs) [part~="button"] {
  display: grid; place-items: center; inline-size: 2.75rem; block-size: 2.75rem; padding: 0; cursor: pointer;
  border: 1px solid; border-radius: 50%; background: none; color: inherit
}
:where(varde-recs) [part~="button"]:hover { background: rgb(128 128 128 / .15) }
:where(varde-recs) [part~="button"][aria-disabled="true"] { opacity: .35; cursor: default; background: none }
:where(varde-recs) [part~="controls"][data-idle] { visibility: hidden }
:where(varde-recs) [part~="icon"] {
  inline-size: 1.1rem; block-size: 1.1rem; fill: none; stroke: currentColor; stroke-width: 2;
  stroke-linecap: round; stroke-linejoin: round
}
:where(varde-recs:dir(rtl)) [part~="icon"] { transform: scaleX(-1) }
:where(varde-recs) [part~="list"] {
  display: grid; gap: calc(1.5 * var(--_gap)) var(--_gap); margin: 0; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(max(
    min(var(--varde-card, 10.5rem), (100% - var(--_gap)) / 2 - .5px),
    (100% - (var(--_n) - 1) * var(--_gap)) / var(--_n) - .5px), 1fr))
}
:where(varde-recs[carousel]) [part~="list"] {
  grid-template-columns: none; grid-auto-flow: column; justify-content: start; overflow-x: auto;
  grid-auto-columns: max(8rem, min(var(--varde-card, 12.5rem), 43%)); scroll-snap-type: x proximity;
  overscroll-behavior-inline: contain; scrollbar-width: none; padding: 4px; margin: -4px; scroll-padding-inline: 4px
}
:where(varde-recs[carousel]) [part~="list"]::-webkit-scrollbar { display: none }
:where(varde-recs) [part~="item"] { min-inline-size: 0; margin: 0; scroll-snap-align: start }
:where(varde-recs) [part~="card"] {
  display: flex; flex-direction: column; position: relative; color: inherit; text-decoration: none; line-height: 1.35;
  border-radius: var(--varde-radius, .5rem)
}
:where(varde-recs) [part~="card"]:hover [part~="title"] { text-decoration: underline; text-underline-offset: .15em }
:where(varde-recs) :is([part~="card"], [part~="button"], [part~="list"]):focus-visible {
  outline: 2px solid; outline-offset: 2px
}
:where(varde-recs) [part~="picture"] {
  display: grid; place-items: center; overflow: hidden; aspect-ratio: var(--varde-ratio, 1); margin-block-end: .6rem;
  border-radius: var(--varde-radius, .5rem); background: rgb(128 128 128 / .12); contain: strict
}
:where(varde-recs) [part~="image"] {
  inline-size: 100%; block-size: 100%; max-inline-size: none; object-fit: var(--varde-fit, cover)
}
:where(varde-recs) [part~="letter"] { font-size: 2.5rem }
:where(varde-recs) [part~="brand"] {
  min-block-size: 1.35em; font-size: .8125em; overflow: hidden; white-space: nowrap; text-overflow: ellipsis
}
:where(varde-recs) [part~="title"] {
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; min-block-size: 2.7em;
  overflow-wrap: anywhere
}
:where(varde-recs) [part~="price"] { min-block-size: 1.35em; margin-block-start: .25rem; font-weight: 600 }
:where(varde-recs) [part~="label"] {
  position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap
}
:where(varde-recs) [part~="skeleton"] :is([part~="brand"], [part~="title"], [part~="price"]) {
  border-radius: .25rem; background: rgb(128 128 128 / .12); background-clip: content-box; padding-block: .15em;
  box-sizing: border-box
}
:where(varde-recs) [part~="skeleton"] [part~="brand"] { inline-size: 40% }
:where(varde-recs) [part~="skeleton"] [part~="title"] { inline-size: 85%; padding-block-end: 1.5em }
:where(varde-recs) [part~="skeleton"] [part~="price"] { inline-size: 30% }
@media (prefers-reduced-motion: no-preference) {
  :where(varde-recs) [part~="skeleton"] { animation: varde-wait 1.4s .4s ease-in-out infinite }
  :where(varde-recs) [part~="image"] { transition: transform .25s }
  :where(varde-recs) [part~="card"]:hover [part~="image"] { transform: scale(1.03) }
}
@keyframes varde-wait { 50% { opacity: .45 } }
`;
let sheet;

function dress(root) {
  try {
    if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(CSS);
    if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
  } catch {
    if (sheet !== root) console.warn("varde-recs: this browser knows no constructed style sheets: cards have no style");
    sheet = root;
  }
}
