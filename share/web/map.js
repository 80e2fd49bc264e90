"use strict";
// The map: a mosaic of banners at every zoom. Each level of zoom halves the cells of the level before. A cell shows the
// most reviewed of its games, and games that are left over take free cells close by. Where none is hidden any more,
// going nearer makes the banners larger. Rows are games, the most reviewed first.

const STEPS = 10000;  // of the coordinates in data/map.js
const CELL = 64;      // pixels of a banner's width, about
const RATIO = 1.5;    // a banner's height over its width
const GAP = 3;
const REACH = 2;      // cells that a banner may be moved
const DEEPEST = 9;    // levels; a cell is smaller than a step then
const GROWN = 3;      // times as wide as CELL is a banner at most
const KEPT = 2000;    // pictures in memory

const AROUND = [];
for (let down = -REACH; down <= REACH; down++) for (let across = -REACH; across <= REACH; across++) AROUND.push([across, down]);
AROUND.sort((one, other) => Math.hypot(one[0], RATIO * one[1]) - Math.hypot(other[0], RATIO * other[1])).shift();

const plane = {
  x: [], y: [], level: 0, scale: 1, left: 0, top: 0,  // in sight is 1 / scale of the map's width and height from (left, top) on
  seats: new Map(), hidden: 0, chosen: -1, images: new Map(), waiting: false,

  open(places, pictures, base, pick, describe) {
    if (!this.x.length) {
      this.x = Float64Array.from(places.x, x => Math.min(x / STEPS, 1 - 1e-9));
      this.y = Float64Array.from(places.y, y => Math.min(1 - y / STEPS, 1 - 1e-9));
    }
    Object.assign(this, { pictures, base, pick, describe, canvas: document.getElementById("plane"), chosen: -1 });
    this.measure();
    this.fit();
  },

  measure() {
    Object.assign(this, { width: this.canvas.clientWidth, height: this.canvas.clientHeight });
    this.columns = Math.max(Math.round(this.width / Math.min(CELL, this.width / 7)), 1);  // at the first level
    this.lines = Math.max(Math.round(this.height / (RATIO * this.width / this.columns)), 1);
  },

  fit() {
    Object.assign(this, { level: 0, scale: 1, left: 0, top: 0 });
    this.draw();
  },

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const left = this.left + x / this.width / this.scale, top = this.top + y / this.height / this.scale;  // what lies there stays there
    const level = Math.min(Math.max(Math.round(Math.log2(this.scale * factor)), 0), DEEPEST);
    if (this.hidden || level < this.level) this.level = level;
    this.scale = Math.min(Math.max(this.scale * factor, 1), GROWN * 2 ** this.level);
    this.moveTo(left - x / this.width / this.scale, top - y / this.height / this.scale);
    this.seat();
    if (!this.seats.size) this.show(this.closest());
  },

  pan(x, y) { this.moveTo(this.left - x / this.width / this.scale, this.top - y / this.height / this.scale); },

  moveTo(left, top) {
    const most = 1 - 1 / this.scale;
    this.left = Math.min(Math.max(left, 0), most);
    this.top = Math.min(Math.max(top, 0), most);
    this.draw();
  },

  closest(right = 0, down = 0) {  // the game closest to the middle of what is in sight, or of those to one side
    const middle = [this.left + 0.5 / this.scale, this.top + 0.5 / this.scale];
    let best = -1, least = Infinity;
    for (let row = 0; row < this.x.length; row++) {
      const across = this.x[row] - middle[0], along = this.y[row] - middle[1];
      const away = Math.abs(across) + Math.abs(along), isThere = !(right || down) || across * right + along * down > away / 2;
      if (isThere && away < least) [best, least] = [row, away];
    }
    return best;
  },

  show(row) {
    this.moveTo(this.x[row] - 0.5 / this.scale, this.y[row] - 0.5 / this.scale);
    this.seat();
  },

  draw() {  // once a frame, however often it is asked
    if (this.waiting || !this.canvas) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.paint(); });
  },

  seat() {  // give the games in sight their cells
    const { x, y, left, top, scale } = this, columns = this.columns << this.level, lines = this.lines << this.level;
    const first = Math.max(Math.floor(left * columns) - REACH, 0), across = Math.min(Math.ceil((left + 1 / scale) * columns) + REACH, columns) - first;
    const upper = Math.max(Math.floor(top * lines) - REACH, 0), high = Math.min(Math.ceil((top + 1 / scale) * lines) + REACH, lines) - upper;
    const taken = new Int32Array(across * high).fill(-1), asked = new Uint8Array(taken.length), others = [];
    this.hidden = 0;
    for (let row = 0; row < x.length; row++) {
      const column = Math.floor(x[row] * columns) - first, line = Math.floor(y[row] * lines) - upper, cell = line * across + column;
      if (column < 0 || column >= across || line < 0 || line >= high) continue;
      if (taken[cell] < 0) taken[cell] = row;
      else if (asked[cell] < AROUND.length) { asked[cell]++; others.push([row, column, line]); }
      else this.hidden++;
    }
    for (const [row, column, line] of others) {
      const isFree = ([right, down]) => column + right >= 0 && column + right < across && taken[(line + down) * across + column + right] === -1;
      const place = AROUND.find(isFree);
      if (place) taken[(line + place[1]) * across + column + place[0]] = row;
      else this.hidden++;
    }
    this.seats = new Map();
    taken.forEach((row, cell) => { if (row >= 0) this.place(row, first + cell % across, upper + Math.floor(cell / across)); });
  },

  place(row, column, line) {  // note where on the screen a game's cell is, if it is in sight
    const wide = this.width * this.scale / (this.columns << this.level), high = this.height * this.scale / (this.lines << this.level);
    const x = column * wide - this.left * this.width * this.scale, y = line * high - this.top * this.height * this.scale;
    if (x + wide > 0 && x < this.width && y + high > 0 && y < this.height) this.seats.set(row, { x, y, wide, high });
  },

  paint() {
    const ratio = window.devicePixelRatio || 1, colours = getComputedStyle(document.documentElement), pen = this.canvas.getContext("2d");
    this.seat();
    if (!this.seats.has(this.chosen)) this.chosen = -1;
    Object.assign(this.canvas, { width: this.width * ratio, height: this.height * ratio });
    pen.scale(ratio, ratio);
    for (const [row, { x, y, wide, high }] of this.seats) {
      const width = Math.min(wide, high / RATIO) - GAP, height = RATIO * width, left = x + (wide - width) / 2, top = y + (high - height) / 2;
      const picture = this.picture(row);
      pen.fillStyle = colours.getPropertyValue("--empty");
      if (picture?.complete && picture.naturalWidth) pen.drawImage(picture, left, top, width, height);
      else pen.fillRect(left, top, width, height);
      if (row !== this.chosen) continue;
      Object.assign(pen, { strokeStyle: colours.getPropertyValue("--accent"), lineWidth: 4 });
      pen.strokeRect(left, top, width, height);
    }
  },

  picture(row) {
    if (this.pictures[row] && !this.images.has(row)) {
      this.images.set(row, Object.assign(new Image(), { onload: () => this.draw(), src: this.base + this.pictures[row] }));
      if (this.images.size > KEPT) this.images.delete(this.images.keys().next().value);
    }
    return this.images.get(row);
  },

  at(x, y) {  // the game whose cell holds a point, -1 where none does
    for (const [row, cell] of this.seats) if (x >= cell.x && x < cell.x + cell.wide && y >= cell.y && y < cell.y + cell.high) return row;
    return -1;
  },

  middle(row) {
    const { x, y, wide, high } = this.seats.get(row) ?? { x: this.width / 2, y: this.height / 2, wide: 0, high: 0 };
    return [x + wide / 2, y + high / 2];
  },

  step(right, down) {  // choose the next game to one side, and return it; where there is none in sight, go to one beyond
    const [x, y] = this.middle(this.chosen);
    let best = -1, least = Infinity;
    for (const row of this.seats.keys()) {
      const [across, along] = this.middle(row), ahead = (across - x) * right + (along - y) * down;
      const aside = Math.abs((across - x) * down) + Math.abs((along - y) * right);
      if (row !== this.chosen && ahead > 1 && ahead + 2 * aside < least) [best, least] = [row, ahead + 2 * aside];
    }
    const beyond = best < 0 ? this.closest(right, down) : -1;
    if (beyond >= 0) {
      this.show(beyond);
      best = this.at(this.width / 2, this.height / 2);
    }
    if (best < 0) return this.chosen;
    const cell = this.seats.get(best), inside = (start, size, whole) => Math.max(-start, 0) + Math.min(whole - start - size, 0);
    this.pan(inside(cell.x, cell.wide, this.width), inside(cell.y, cell.high, this.height));
    this.seat();
    return this.chosen = best;
  },
};

function listenToMap() {
  const canvas = document.getElementById("plane"), tip = document.getElementById("tip"), held = new Map();
  let moved = false;
  const tell = (row, x, y) => {
    tip.hidden = row < 0;
    if (row < 0) return;
    plane.describe(tip, row);
    tip.classList.toggle("named", plane.seats.get(row)?.wide > 110);  // the banner itself is large enough
    tip.style.left = `${Math.max(Math.min(x + 16, plane.width - 160), 0)}px`;
    tip.style.top = `${Math.max(Math.min(y + 16, plane.height - 270), 0)}px`;
  };
  canvas.onpointerdown = event => { held.set(event.pointerId, event); moved = false; canvas.setPointerCapture(event.pointerId); };
  canvas.onpointermove = event => {
    const before = held.get(event.pointerId), [x, y] = [event.offsetX, event.offsetY];
    if (!before) return tell(plane.at(x, y), x, y);
    tip.hidden = true;
    const other = [...held.values()].find(each => each.pointerId !== event.pointerId);
    const span = each => Math.max(Math.hypot(each.offsetX - other.offsetX, each.offsetY - other.offsetY), 1);
    if (other) plane.zoom(span(event) / span(before), (x + other.offsetX) / 2, (y + other.offsetY) / 2);
    else if (moved || Math.hypot(x - before.offsetX, y - before.offsetY) > 3) plane.pan(x - before.offsetX, y - before.offsetY);
    else return;
    moved = true;
    held.set(event.pointerId, event);
  };
  canvas.onpointerup = canvas.onpointercancel = event => {
    held.delete(event.pointerId);
    const row = moved || event.type !== "pointerup" ? -1 : plane.at(event.offsetX, event.offsetY);
    if (row >= 0) plane.pick(row);
  };
  canvas.onpointerleave = () => { tip.hidden = true; };
  canvas.onwheel = event => { event.preventDefault(); tip.hidden = true; plane.zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY); };
  const nearer = factor => () => { tip.hidden = true; plane.zoom(factor, ...plane.middle(plane.chosen)); };
  const all = () => { tip.hidden = true; plane.fit(); };
  const keys = { "+": nearer(1.6), "=": nearer(1.6), "-": nearer(1 / 1.6), 0: all, Enter: () => plane.chosen >= 0 && plane.pick(plane.chosen) };
  for (const [key, ...way] of [["ArrowLeft", -1, 0], ["ArrowRight", 1, 0], ["ArrowUp", 0, -1], ["ArrowDown", 0, 1]]) {
    keys[key] = () => { const row = plane.step(...way); tell(row, ...plane.middle(row)); };
  }
  canvas.onkeydown = event => { if (Object.hasOwn(keys, event.key)) { event.preventDefault(); keys[event.key](); } };
  document.getElementById("nearer").onclick = nearer(1.6);
  document.getElementById("further").onclick = nearer(1 / 1.6);
  document.getElementById("all").onclick = all;
  window.addEventListener("resize", () => { if (plane.canvas?.clientWidth) { plane.measure(); plane.draw(); } });
}
