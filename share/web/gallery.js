"use strict";
// Data come as scripts that call gallery(file, data), since fetch() is closed to pages opened from a disk.
// Names are text that anybody may have written: they are only ever set as text or as an attribute's value.

const MORE = 48;     // games that are shown at a time as the end of home comes into sight
const ASKED = 600;   // games from which on they have to be asked for
const arrived = new Map(), asked = new Map();
function gallery(file, data) { arrived.set(file, data); }

function load(file) {
  if (!asked.has(file)) {
    asked.set(file, new Promise((resolve, reject) => {
      const failed = () => { asked.delete(file); reject(new Error(`data/${file}.js could not be loaded.`)); };
      const script = make("script", { src: `data/${file}.js`, onerror: failed });
      script.onload = () => { script.remove(); arrived.has(file) ? resolve(arrived.get(file)) : failed(); };
      document.head.append(script);
    }));
  }
  return asked.get(file);
}

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const [text, list, grid, query, heading, message, world, filters] =
  ["text", "list", "grid", "query", "heading", "message", "world", "filters"].map(control);
let start, index, found = [], chosen = -1, current = null, feed = null;

// ------------------------------------------------------------ the search box and its list

function offer() {
  found = index && text.value.trim() ? index.find(text.value) : [];
  chosen = found.length ? 0 : -1;
  list.replaceChildren(...found.map(option));
  if (index && text.value.trim() && !found.length) list.append(make("li", { role: "status", textContent: "No game is called that, nor nearly so." }));
  list.hidden = !list.children.length;
  mark();
}

function option(row, at) {
  const picture = arrived.get("pictures")?.[row];
  const parts = [make("bdi", { textContent: index.names[row] }), make("small", { textContent: index.appids[row] })];
  if (picture) parts.unshift(banner("", picture));
  return make("li", { id: `option${at}`, role: "option", onclick: () => pick(at) }, ...parts);
}

function mark() {
  list.querySelectorAll("[role=option]").forEach((each, at) => each.setAttribute("aria-selected", at === chosen));
  list.children[chosen]?.scrollIntoView({ block: "nearest" });
  text.setAttribute("aria-expanded", !list.hidden);
  text.setAttribute("aria-activedescendant", chosen < 0 ? "" : `option${chosen}`);
}

function pick(at) {
  const appid = index.appids[found[at]];
  text.value = "";
  offer();
  text.blur();
  location.hash = appid + filterLink();
}

text.oninput = offer;
text.onfocus = () => { if (index) load("pictures").then(offer, () => {}); offer(); };
text.onblur = () => { list.hidden = true; mark(); };
list.onmousedown = event => event.preventDefault();  // or the list would be gone before the click
text.onkeydown = event => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && found.length) chosen = (chosen + step + found.length) % found.length;
  else if (event.key === "Enter" && found.length) return pick(chosen);
  else if (event.key === "Escape") { text.value = ""; offer(); return; }
  else return;
  event.preventDefault();
  mark();
};
document.onkeydown = event => {
  const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(document.activeElement.tagName);
  if (event.key !== "/" || event.ctrlKey || event.metaKey || typing) return;
  event.preventDefault();
  text.focus();
};

// ------------------------------------------------------------ what is shown

const linked = appid => start.store_page && start.store_page.replace("{appid}", appid);

function banner(name, picture) {
  const box = make("span", { className: "banner" });
  const missing = () => { box.classList.add("missing"); box.replaceChildren(); };
  if (!picture) missing();
  else box.append(make("img", { onerror: missing, loading: "lazy", decoding: "async", alt: name, src: start.pictures + picture }));
  return box;
}

function card(appid, [name, picture], cosine, nearest) {  // nearest: [appid, name], to be linked
  const facts = make("p", {}), link = appid => `#${appid}${filterLink()}`;
  if (cosine !== undefined) facts.append(make("span", { textContent: cosine.toFixed(2), title: "cosine: 1 is the same direction" }));
  if (nearest) facts.append(make("a", { href: link(nearest[0]), textContent: "Nearest", title: nearest[1] }));
  if (linked(appid)) facts.append(make("a", { href: linked(appid), target: "_blank", rel: "noopener", textContent: "Store", ariaLabel: `Store page of ${name}` }));
  return make("li", {}, make("a", { href: link(appid), title: name }, banner("", picture), make("bdi", { textContent: name })), facts);
}

function show({ title = "", about = "", file = null, game = null, cards = [], say = "", again = null, withMap = false }) {
  document.title = title ? `${title} · games that look alike` : "Games that look alike";
  control("view").className = game ? "game" : "";
  query.hidden = filters.hidden = !game;
  world.hidden = !withMap;
  feed = null;
  if (game) describeQuery(game);
  const said = make("p", { id: "about", textContent: about });
  if (file) said.append(" ", make("a", { href: file, textContent: "As a list to post" }));
  heading.replaceChildren(...(cards.length || withMap || game ? [make("h2", { textContent: game ? "Look most like it" : title }), said] : []));
  grid.replaceChildren(...cards);
  message.replaceChildren(say);
  if (again) message.append(make("button", { textContent: "Try again", onclick: again }));
  document.querySelectorAll("nav a").forEach(each => each.toggleAttribute("aria-current", each.hash === location.hash));
}

function describeQuery({ appid, details }) {
  const link = make("p", { textContent: `appid ${appid}` });
  if (details[2]) link.append(` · ${details[2]}`);
  if (details[3] >= 0) link.append(` · ${details[3]} % positive`);
  if (linked(appid)) link.append(" · ", make("a", { href: linked(appid), target: "_blank", rel: "noopener", textContent: "Store page" }));
  query.replaceChildren(banner(details[0], details[1]), make("h2", {}, make("bdi", { textContent: details[0] })), link);
}

function showGame({ appid, chunk }) {
  const wanted = chosenFilters(start.tags), details = chunk.shown[appid];
  const [appids, cosines] = chunk.matches[appid];
  const places = filtered(wanted, details, appids, chunk.shown);
  show({ title: details[0], game: { appid, details },
    about: "The cosine stands below each banner. Click one to go on from there.",
    cards: places.map(at => card(appids[at], chunk.shown[appids[at]], cosines[at])),
    say: places.length ? "" : `None of its ${appids.length} stored matches passes these filters.` });
  filters.querySelector("summary").textContent = `Filters (among its ${appids.length} stored matches)`;
  if (filterLink()) filters.open = true;
}

// ------------------------------------------------------------ the views

function home() {
  const cards = start.popular.map(appid => card(appid, start.shown[appid]));
  const title = start.reviewed ? "Popular games" : "Games from A to Z";
  show({ title, about: `Click one to see which of ${start.games.toLocaleString("en")} games look most like it.`, file: "popular.md", cards, say: start.games ? "" : "There are no games here yet." });
  feed = others();
  watchEnd();
}

async function* others() {  // cards of the games that are not popular, in rows that fill the page
  const [{ appids, names }, pictures] = await Promise.all([load("names"), load("pictures")]), first = new Set(start.popular);
  const rows = appids.keys().filter(row => !first.has(appids[row]));
  for (const row of rows) yield card(appids[row], [names[row], pictures[row]]);
}

async function more() {
  const from = feed;
  for (let at = 0; from && from === feed && at < MORE; at++) {
    const { value, done } = await from.next();
    if (done) feed = null;
    else if (from === feed) grid.append(value);
  }
  watchEnd();
}

const end = new IntersectionObserver(seen => { if (seen.some(each => each.isIntersecting)) { end.disconnect(); more().catch(() => {}); } }, { rootMargin: "600px" });
function watchEnd() {  // after some thousand pixels somebody has to ask, or the end of the page could never be reached
  end.disconnect();
  message.replaceChildren();
  if (!feed) return;
  if (grid.children.length < ASKED) end.observe(message);
  else message.append(make("button", { textContent: "More games", onclick: more }));
}

async function unique() {
  const { unique: games, shown } = await load("lists");
  show({ title: "The most unique banners", about: "Their nearest neighbour is further than that of any other game: its cosine stands below.", file: "unique.md",
    cards: games.map(([appid, nearest, cosine]) => card(appid, shown[appid], cosine, [nearest, shown[nearest][0]])) });
}

async function duplicates() {
  const { groups, cosines, shown } = await load("lists");
  const cards = groups.flatMap((group, at) => {
    const [least, most] = [Math.min(...cosines[at]).toFixed(2), Math.max(...cosines[at]).toFixed(2)];
    const title = make("li", { className: "heading", textContent: `${group.length} games, cosine ${least === most ? least : `${least} to ${most}`}` });
    return [title, ...group.map((appid, member) => card(appid, shown[appid], cosines[at][member]))];
  });
  show({ title: "Banners that are nearly the same", about: "Games linked by a cosine so high that one banner may be a copy of the other; below each, that to its nearest.",
    file: groups.length ? "duplicates.md" : null, cards, say: cards.length ? "" : "There are none." });
}

async function openMap() {
  const [places, pictures] = await Promise.all([load("map"), load("pictures"), load("names")]);
  const names = arrived.get("names");
  show({ title: "The map", about: "Banners that look alike lie close together. Scroll or pinch to see more of them, drag to move, click one for its matches.", withMap: true });
  const describe = (tip, row) => tip.replaceChildren(banner(names.names[row], pictures[row]), make("bdi", { textContent: names.names[row] }));
  plane.open(places, pictures, start.pictures, row => { location.hash = names.appids[row] + filterLink(); }, describe);
}

async function openGame(place, link) {
  const hash = location.hash, appid = Number(place), chunk = await load(String(Math.floor(appid / 10) % start.chunks));
  if (hash !== location.hash) return;  // somebody went on meanwhile
  current = chunk.matches[appid] ? { appid, chunk } : null;
  takeFilters(link);
  if (current) showGame(current);
  else show({ say: `No game here has the appid ${appid}. Type a name above, or take a random game.` });
}

async function route() {
  const hash = location.hash, [place, link] = hash.slice(1).split("?"), views = { "": home, unique, duplicates, map: openMap };
  try {
    if (!start) { start = await load("start"); describe(); }
    current = null;
    if (Object.hasOwn(views, place)) await views[place]();
    else if (/^\d{1,15}$/.test(place)) await openGame(place, link);
    else show({ say: `${JSON.stringify(place)} is no appid. Type a name above, or take a random game.` });
    window.scrollTo(0, 0);
  } catch (error) {
    if (hash === location.hash) show({ say: error.message, again: begin });
  }
}

function describe() {
  control("untrained").hidden = start.trained;
  control("made").textContent = start.made;
  control("to-map").hidden = !start.map;
  for (const id of ["to-duplicates", "duplicates-list", "distinct-label"]) control(id).hidden = !start.groups;
  control("tag").append(...start.tags.toSorted((one, other) => one.localeCompare(other)).map(name => new Option(name, name)));
}

async function begin() {
  await route();
  if (!start) return;
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));  // what is there is painted before the names come
  try {
    const { appids, names } = await load("names");
    index ??= new Index(appids, names);
    text.placeholder = "Part of a name, or an appid";
    offer();
  } catch (error) {
    text.placeholder = error.message;
  }
}

filters.oninput = () => {
  if (!current) return;
  history.replaceState(null, "", `#${current.appid}${filterLink()}`);
  showGame(current);
};
filters.querySelector("form").onsubmit = event => event.preventDefault();
control("random").onclick = () => {
  const appids = index?.appids ?? start?.popular ?? [];
  if (appids.length) location.hash = appids[Math.floor(Math.random() * appids.length)] + filterLink();
};
window.onhashchange = route;
listenToMap();
begin();
