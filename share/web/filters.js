"use strict";
// Which of a game's stored matches are shown, and how that stands in the link: #620?tag=Puzzle&others=1.
// A game is [name, picture, year, score, tags, makers, group] (data/<n>.js).

const FILTERS = ["tag", "year", "score", "others", "distinct", "mirrored"];
const control = name => document.getElementById(name);

function offerTags(tags) {
  const sorted = [...tags].sort((one, other) => one.localeCompare(other));
  control("tag").append(...sorted.map(name => new Option(name, name)));
}

function filterLink() {  // what stands behind the appid in the link
  const words = new URLSearchParams();
  for (const name of FILTERS) {
    const { type, checked, value } = control(name), said = type === "checkbox" ? checked && "1" : value;
    if (said) words.set(name, said);
  }
  return String(words) && `?${words}`;
}

function takeFilters(link = "") {
  const words = new URLSearchParams(link);
  for (const name of FILTERS) {
    if (control(name).type === "checkbox") control(name).checked = words.has(name);
    else control(name).value = words.get(name) ?? "";
  }
}

function chosenFilters(tags) {
  const number = name => control(name).value === "" ? null : Number(control(name).value);
  return { tag: control("tag").value && tags.indexOf(control("tag").value), year: number("year"), score: number("score"),
    others: control("others").checked, distinct: control("distinct").checked, mirrored: control("mirrored").checked };
}

function passes(chosen, query, game) {
  const [, , year, score, tags, makers] = game;
  if (chosen.tag !== "" && !tags.includes(chosen.tag)) return false;
  if (chosen.year !== null && year < chosen.year) return false;
  if (chosen.score !== null && score < chosen.score) return false;
  return !chosen.others || !makers.some(maker => query[5].includes(maker));
}

function filtered(chosen, query, appids, details) {  // places in `appids`, best first
  const groups = new Set(query[6] < 0 ? [] : [query[6]]);
  return [...appids.keys()].filter(at => {
    const game = details[appids[at]];
    if (!passes(chosen, query, game)) return false;
    if (!chosen.distinct || game[6] < 0) return true;
    const isNew = !groups.has(game[6]);
    groups.add(game[6]);
    return isNew;
  });
}
