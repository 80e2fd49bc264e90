"use strict";
// Find games by name the way people type them: utils/search.py in JavaScript, with the same answers in the same order.

const ROMAN = { ii: "2", iii: "3", iv: "4", v: "5", vi: "6", vii: "7", viii: "8", ix: "9", x: "10", xi: "11", xii: "12", xiii: "13", xiv: "14", xv: "15", xvi: "16" };
const NUMBERS = { ...ROMAN, two: "2", three: "3", four: "4", five: "5", six: "6", seven: "7", eight: "8", nine: "9" };
const OPTIONAL = new Set(["a", "and", "of", "the"]);
const LONGEST = 100, SHORTEST_PART = 4, ONE_ERROR = 4, TWO_ERRORS = 8;

const lengthOf = word => [...word].length;  // in characters, as Python counts
const numbered = key => key.split(" ").map(word => Object.hasOwn(NUMBERS, word) ? NUMBERS[word] : word).join(" ");
const initials = key => key.split(" ").map(word => /^\p{Nd}+$/u.test(word) || Object.hasOwn(ROMAN, word) ? word : [...word][0] ?? "").join("");

function searchKey(name) {  // what the spellings of a name share
  if (/^[a-z0-9 ]*$/i.test(name)) return name.toLowerCase().trim().replace(/  +/g, " ");
  const folded = part => part.toUpperCase().toLowerCase().replace(/ς/g, "σ");  // ß is ss
  const plain = folded(name.replace(/™/g, "").normalize("NFKD"))
    .replace(/[\p{Mn}\p{Cf}'’.®©]/gu, "")
    .replace(/[ぁ-ゖ]/g, kana => String.fromCharCode(kana.charCodeAt(0) + 0x60))
    .replace(/[\p{P}\p{Z}\p{C}]+/gu, " ").trim();
  return plain || folded(name.trim());
}

class Index {
  constructor(appids, names) {  // the most reviewed first
    Object.assign(this, { appids, names });
    const folded = names.map(searchKey);
    this.keys = folded.map(numbered);
    this.compact = this.keys.map(key => key.replaceAll(" ", ""));
    this.initials = this.keys.map((key, row) => `${initials(key)} ${initials(folded[row])}`);
    this.row = new Map(appids.map((appid, row) => [appid, row]));
    this.rows = new Map();
    this.keys.forEach((key, row) => {
      for (const word of new Set(key.split(" "))) this.rows.has(word) ? this.rows.get(word).push(row) : this.rows.set(word, [row]);
    });
    this.words = [...this.rows.keys()].sort((one, other) => one < other ? -1 : 1);
  }

  find(text, limit = 12) {  // rows, the best first
    const key = searchKey([...text].slice(0, LONGEST).join(""));
    const parted = (key.match(/\p{Nd}+|\P{Nd}+/gu) ?? []).map(part => part.trim()).join(" ");
    let found = this.ranked(key);
    if (!found.length && parted !== key) found = this.ranked(parted);
    const itself = /^\s*\d+\s*$/.test(text) ? this.row.get(Number(text)) : undefined;
    if (itself !== undefined) found = [itself, ...found.filter(row => row !== itself)];
    return found.slice(0, limit);
  }

  ranked(folded) {
    const words = folded.split(" ").filter(Boolean);
    if (!words.length) return this.keys.map((_, row) => row);
    const needed = words.filter(word => !OPTIONAL.has(word));
    let sums = this.holding(words.join(""));
    for (const [row, sum] of this.fitting(needed.length ? needed : words, false)) sums.set(row, sum);
    if (!sums.size) sums = this.fitting(needed.length ? needed : words, true);
    const key = numbered(folded), begins = row => this.keys[row] === key ? 0 : this.keys[row].startsWith(key) ? 1 : 2;
    return [...sums.keys()].sort((one, other) => begins(one) - begins(other) || sums.get(one) - sums.get(other) || one - other);
  }

  fitting(words, withErrors) {  // row -> the sum of how well each word fits
    let sums = null;
    for (const word of words) {
      const fits = this.fits(word, withErrors), before = sums;
      if (Object.hasOwn(NUMBERS, word)) for (const [row, fit] of this.fits(NUMBERS[word], false)) fits.set(row, fit);
      sums = before === null ? fits : new Map([...before].filter(([row]) => fits.has(row)).map(([row, total]) => [row, total + fits.get(row)]));
    }
    return sums;
  }

  holding(part) {  // row -> 3 for the names that hold a part, spaces aside
    const held = new Map();
    if (lengthOf(part) < SHORTEST_PART && !/[^\x00-\x7f]/.test(part)) return held;
    this.compact.forEach((name, row) => { if (name.includes(part)) held.set(row, 3); });
    return held;
  }

  fits(word, withErrors) {  // row -> how well a word fits it; the better of several ways is written last
    const fits = withErrors ? this.nearly(word) : new Map(), held = this.holding(word);
    for (const [row, fit] of held) fits.set(row, fit);
    if (lengthOf(word) > 1) this.initials.forEach((letters, row) => { if (letters.includes(word)) fits.set(row, 2); });
    for (let at = this.first(word); at < this.words.length && this.words[at].startsWith(word); at++) {
      for (const row of this.rows.get(this.words[at])) fits.set(row, 1);
    }
    const whole = [...held.keys()].filter(row => this.compact[row] === word);
    for (const row of [...whole, ...(this.rows.get(word) ?? [])]) fits.set(row, 0);
    return fits;
  }

  first(word) {  // the place of the first word that is not before a word
    let low = 0, high = this.words.length;
    while (low < high) {
      const middle = low + high >> 1;
      if (this.words[middle] < word) low = middle + 1; else high = middle;
    }
    return low;
  }

  nearly(word) {  // row -> 3 and the typing errors between a word and one of the name's
    const near = [[], []], size = lengthOf(word);
    for (const other of this.words) {
      if (Math.abs(other.length - word.length) > 4) continue;
      const errors = distance(word, other), long = Math.max(size, lengthOf(other));
      if (errors === 0 || errors === 1 && long >= ONE_ERROR) near[0].push(other);
      else if (errors === 2 && long >= TWO_ERRORS) near[1].push(other);
    }
    const fits = new Map();
    [near[1], near[0]].forEach((words, at) => { for (const other of words) for (const row of this.rows.get(other)) fits.set(row, 5 - at); });
    return fits;
  }
}

function distance(one, other) {  // optimal string alignment, up to 2; more is 3
  const [a, b] = [[...one], [...other]];
  if (Math.abs(a.length - b.length) > 2) return 3;
  let before = [], last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, before[j - 2] + 1);
      row.push(best);
      if (best < least) least = best;
    }
    if (least > 2) return 3;
    [before, last] = [last, row];
  }
  return Math.min(last[b.length], 3);
}
