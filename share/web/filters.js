"use strict";
// Which of a game's stored matches are shown, and how that stands in the link: #620?tag=Puzzle&others=1.
// A game is [name, picture, year, score, tags, makers, group] (data/<n>.js).

const FILTERS = ["tag", "year", "score", "others", "distinct"];
const control = name => document.getElementById(name);

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
    others: control("others").checked, distinct: control("distinct").checked };
}

function passes(chosen, query, [, , year, score, tags, makers]) {
  return (chosen.tag === "" || tags.includes(chosen.tag)) && (chosen.year === null || year >= chosen.year)
    && (chosen.score === null || score >= chosen.score) && !(chosen.others && makers.some(maker => query[5].includes(maker)));
}

function filtered(chosen, query, appids, details) {  // places in `appids`, best first
  const groups = new Set(query[6] < 0 ? [] : [query[6]]);
  return [...appids.keys()].filter(at => {
    const game = details[appids[at]], group = game[6];
    if (!passes(chosen, query, game) || chosen.distinct && groups.has(group)) return false;
    if (group >= 0) groups.add(group);
    return true;
  });
}
