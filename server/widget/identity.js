// Who the shopper is: Segment's own ids, read only once the page has said that the shopper consents. Nothing is stored.
const MOST_BYTES = 256;
let consented = false;

// Segment's library where it has started, also behind the object that `AnalyticsBrowser.load` returns.
function segment() {
  const found = window.analytics?.instance ?? window.analytics;
  return found?.initialized && typeof found.track === "function" ? found : null;
}

function ids() {
  if (!consented) return {};
  const user = segment()?.user?.();
  return {
    uid: known(user?.id?.()) ?? kept("ajs_user_id"),
    aid: known(user?.anonymousId?.()) ?? kept("ajs_anonymous_id"),
  };
}

function known(id) {
  const text = id === undefined || id === null ? "" : String(id);
  return text && new TextEncoder().encode(text).length <= MOST_BYTES ? text : undefined;
}

function kept(name) {
  try {
    const pair = document.cookie.split("; ").find((one) => one.startsWith(`${name}=`));
    const text = pair ? decodeURIComponent(pair.slice(name.length + 1)) : localStorage.getItem(name);
    // Older libraries quote the cookie's value; in localStorage it always is JSON.
    return known(!pair || text.startsWith('"') ? JSON.parse(text) : text);
  } catch {
    return undefined; // not Segment's, or storage is switched off
  }
}
