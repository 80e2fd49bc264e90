"use strict";
// Find games by name the way people type them: utils/search.py in JavaScript, with the same answers in the same order.

const ROMAN = { ii: "2", iii: "3", iv: "4", v: "5", vi: "6", vii: "7", viii: "8", ix: "9", x: "10", xi: "11", xii: "12", xiii: "13", xiv: "14", xv: "15", xvi: "16" };
const NUMBERS = { ...ROMAN, two: "2", three: "3", four: "4", five: "5", six: "6", seven: "7", eight: "8", nine: "9" };
const WITHIN = { ...ROMAN, i: "1" };  // numerals at the end of a longer word
const ARABIC = Object.fromEntries(Object.entries(WITHIN).map(([numeral, number]) => [number, numeral]));
const OPTIONAL = new Set(["a", "and", "of", "the"]);
const LONGEST = 100, MOST_WORDS = 10, SHORTEST_PART = 4, ONE_ERROR = 4, TWO_ERRORS = 8;
const NONE = 1000;  // how badly a name fits that does not

const lengthOf = word => [...word].length;  // in characters, as Python counts
const inTable = (table, word) => Object.hasOwn(table, word) ? table[word] : word;
const short = key => key.replace(/(?<![\p{L}\p{N}_])([0-9]{1,3}) ?000(?![\p{L}\p{N}_])/gu, "$1k");
const numbered = key => short(key.split(" ").map(word => inTable(NUMBERS, word)).join(" "));
const initials = key => key.split(" ").map(word => /^\p{Nd}+$/u.test(word) || Object.hasOwn(ROMAN, word) ? word : [...word][0] ?? "").join("");
const forms = each => ` ${[...new Set(each)].join(" ")} `;  // of a name, in one text
const rowsWith = (part, texts) => texts.flatMap((text, row) => text.includes(part) ? [row] : []);

const otherSpellings = word => [  // the number in a word, or at its end, written in the other way
  inTable(NUMBERS, word), short(word),
  word.replace(/^([\p{L}\p{M}]{2,})([0-9]{1,2})$/u, (_, letters, number) => letters + inTable(ARABIC, number)),
  word.replace(/^([\p{L}\p{M}]{2,}?)([ivx]+)$/u, (_, letters, numeral) => letters + inTable(WITHIN, numeral)),
].filter(other => other !== word);

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
    this.written = names.map(searchKey);
    this.short = this.written.map(numbered);
    const both = this.written.map((key, row) => [key, this.short[row]]);
    this.compact = both.map(keys => forms(keys.map(key => key.replaceAll(" ", ""))));
    this.initials = both.map(keys => forms(keys.map(initials)));
    this.row = new Map(appids.map((appid, row) => [appid, row]));
    this.rows = new Map();
    both.forEach((keys, row) => {
      for (const word of new Set(keys.join(" ").split(" "))) this.rows.has(word) ? this.rows.get(word).push(row) : this.rows.set(word, [row]);
    });
    this.rows.delete("");
    this.words = [...this.rows.keys()];
  }

  find(text, limit = 12) {  // rows, the best first
    const key = searchKey([...text].slice(0, LONGEST).join(""));
    const parted = (key.match(/\p{Nd}+|\P{Nd}+/gu) ?? []).map(part => part.trim()).join(" ");
    let found = [];
    for (const each of new Set([key, parted, numbered(key)])) if (!found.length) found = this.ranked(each);
    const itself = /^\s*\d+\s*$/.test(text) ? this.row.get(Number(text)) : undefined;
    if (itself !== undefined) found = [itself, ...found.filter(row => row !== itself)];
    return found.slice(0, limit);
  }

  ranked(typed) {
    const words = [...new Set(typed.split(" ").filter(Boolean))];
    if (!words.length) return this.written.map((_, row) => row);
    const needed = words.filter(word => !OPTIONAL.has(word)).slice(0, MOST_WORDS);
    if (!needed.length) needed.push(words[0]);
    let sums = this.fitting(needed, false);
    for (const row of this.holding(typed.replaceAll(" ", ""))) sums[row] = Math.min(sums[row], 3);
    if (sums.every(sum => sum >= NONE)) sums = this.fitting(needed, true);
    const key = numbered(typed), rows = this.written.flatMap((_, row) => sums[row] < NONE ? [row] : []);
    const starts = row => this.short[row].startsWith(key) || this.written[row].startsWith(typed);
    const begins = new Map(rows.map(row => [row, this.short[row] === key ? 0 : starts(row) ? 1 : 2]));
    return rows.sort((one, other) => begins.get(one) - begins.get(other) || sums[one] - sums[other] || one - other);
  }

  fitting(words, withErrors) {  // the sum of how well each word fits, by row
    const sums = new Uint16Array(this.written.length);
    for (const word of words) {
      const fits = this.fits(word, withErrors);
      for (const other of otherSpellings(word)) this.fits(other, false).forEach((fit, row) => { if (fit < fits[row]) fits[row] = fit; });
      fits.forEach((fit, row) => { sums[row] += fit; });
      if (sums.every(sum => sum >= NONE)) break;
    }
    return sums;
  }

  holding(part) {  // rows of the names that hold a part, spaces aside
    return lengthOf(part) < SHORTEST_PART && !/[^\x00-\x7f]/.test(part) ? [] : rowsWith(part, this.compact);
  }

  fits(word, withErrors) {  // how well a word fits each name; the better of several ways is written last
    const fits = new Uint16Array(this.written.length).fill(NONE), held = this.holding(word);
    if (withErrors) this.forgive(word, fits);
    for (const row of held) fits[row] = 3;
    if (lengthOf(word) > 1) for (const row of rowsWith(word, this.initials)) fits[row] = 2;
    for (const other of this.words) if (other.startsWith(word)) for (const row of this.rows.get(other)) fits[row] = 1;
    for (const row of held) if (this.compact[row].includes(` ${word} `)) fits[row] = 0;
    for (const row of this.rows.get(word) ?? []) fits[row] = 0;
    return fits;
  }

  forgive(word, fits) {  // 3 and the typing errors between a word and one of the name's
    const near = [[], []], size = lengthOf(word);
    for (const other of this.words) {
      if (Math.abs(other.length - word.length) > 4) continue;
      const errors = distance(word, other), long = Math.max(size, lengthOf(other));
      if (errors === 0 || errors === 1 && long >= ONE_ERROR) near[0].push(other);
      else if (errors === 2 && long >= TWO_ERRORS) near[1].push(other);
    }
    [near[1], near[0]].forEach((words, at) => { for (const other of words) for (const row of this.rows.get(other)) fits[row] = 5 - at; });
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
