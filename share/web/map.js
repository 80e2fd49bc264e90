"use strict";
// The map: every game is a point; where points are far enough apart on the screen, its banner is drawn instead.

const STEPS = 10000;  // of the coordinates in data/map.js
const NEAR = 30;      // pixels a banner needs
const MOST = 160;     // banners drawn at a time

const plane = {
  places: null, pictures: null, base: "", pick: () => {}, describe: () => {},
  scale: 1, left: 0, top: 0,  // the canvas shows 1 / scale of the map's width and height from (left, top) on
  images: new Map(), waiting: false,

  open(places, pictures, base, pick, describe) {
    Object.assign(this, { places, pictures, base, pick, describe });
    this.canvas = document.getElementById("plane");
    this.fit();
  },

  fit() {
    this.scale = 0.92;
    this.left = this.top = 0.5 - 0.5 / this.scale;
    this.draw();
  },

  across() { return this.canvas.clientWidth * this.scale; },  // pixels of the whole map
  down() { return this.canvas.clientHeight * this.scale; },
  x(row) { return (this.places.x[row] / STEPS - this.left) * this.across(); },
  y(row) { return (1 - this.places.y[row] / STEPS - this.top) * this.down(); },

  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const [left, top] = [this.left + x / this.across(), this.top + y / this.down()];  // what lies there stays there
    this.scale = Math.min(Math.max(this.scale * factor, 0.5), 4000);
    this.left = left - x / this.across();
    this.top = top - y / this.down();
    this.draw();
  },

  pan(x, y) {
    this.left -= x / this.across();
    this.top -= y / this.down();
    this.draw();
  },

  draw() {  // once a frame, however often it is asked
    if (this.waiting || !this.places) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.paint(); });
  },

  visible() {
    const rows = [], { clientWidth: width, clientHeight: height } = this.canvas;
    for (let row = 0; row < this.places.x.length; row++) {
      const x = this.x(row), y = this.y(row);
      if (x > -60 && x < width + 60 && y > -60 && y < height + 60) rows.push(row);
    }
    return rows;
  },

  paint() {
    const { clientWidth: width, clientHeight: height } = this.canvas, ratio = window.devicePixelRatio || 1;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent");
    this.shown = this.visible();
    pen.globalAlpha = this.shown.length > 5000 ? 0.55 : 0.9;
    const dot = this.shown.length > 5000 ? 2 : 4;
    for (const row of this.shown) pen.fillRect(this.x(row) - dot / 2, this.y(row) - dot / 2, dot, dot);
    pen.globalAlpha = 1;
    const side = Math.min(Math.max(Math.sqrt(width * height / Math.max(this.shown.length, 1) / 1.5) * 0.8, 0), 120);
    if (side >= NEAR && this.shown.length <= MOST * 2) this.shown.slice(0, MOST).forEach(row => this.banner(pen, row, side));
  },

  banner(pen, row, width) {
    const picture = this.picture(row);
    if (picture?.complete && picture.naturalWidth) pen.drawImage(picture, this.x(row) - width / 2, this.y(row) - width * 0.75, width, width * 1.5);
  },

  picture(row) {
    const tail = this.pictures[row];
    if (!tail) return null;
    if (!this.images.has(row)) {
      const image = new Image();
      image.onload = () => this.draw();
      image.src = this.base + tail;
      this.images.set(row, image);
      if (this.images.size > 2000) this.images.delete(this.images.keys().next().value);
    }
    return this.images.get(row);
  },

  nearest(x, y, reach = 40) {
    let best = -1, least = reach * reach;
    for (const row of this.shown ?? []) {
      const apart = (this.x(row) - x) ** 2 + (this.y(row) - y) ** 2;
      if (apart < least) { least = apart; best = row; }
    }
    return best;
  },
};

function listenToMap() {
  const canvas = document.getElementById("plane"), tip = document.getElementById("tip");
  const held = new Map();
  let moved = false;
  canvas.onpointerdown = event => { held.set(event.pointerId, event); moved = false; canvas.setPointerCapture(event.pointerId); };
  canvas.onpointermove = event => {
    const before = held.get(event.pointerId);
    if (!before) return hover(event);
    tip.hidden = true;
    const others = [...held.values()].filter(each => each.pointerId !== event.pointerId);
    if (others.length) pinch(before, event, others[0]);
    else if (moved || Math.hypot(event.offsetX - before.offsetX, event.offsetY - before.offsetY) > 3) {
      moved = true;
      plane.pan(event.offsetX - before.offsetX, event.offsetY - before.offsetY);
    } else return;
    held.set(event.pointerId, event);
  };
  function pinch(before, now, other) {
    moved = true;
    const span = each => Math.hypot(each.offsetX - other.offsetX, each.offsetY - other.offsetY);
    plane.zoom(span(now) / Math.max(span(before), 1), (now.offsetX + other.offsetX) / 2, (now.offsetY + other.offsetY) / 2);
  }
  function hover(event) {
    const row = plane.nearest(event.offsetX, event.offsetY);
    tip.hidden = row < 0;
    if (row < 0) return;
    plane.describe(tip, row);
    tip.style.left = `${Math.min(event.offsetX + 16, canvas.clientWidth - 160)}px`;
    tip.style.top = `${Math.max(Math.min(event.offsetY + 16, canvas.clientHeight - 260), 0)}px`;
  }
  canvas.onpointerup = canvas.onpointercancel = event => {
    const row = moved ? -1 : plane.nearest(event.offsetX, event.offsetY);
    held.delete(event.pointerId);
    if (event.type === "pointerup" && row >= 0) plane.pick(row);
  };
  canvas.onpointerleave = () => { tip.hidden = true; };
  canvas.onwheel = event => { event.preventDefault(); plane.zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY); };
  canvas.onkeydown = event => {
    const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (step) plane.pan(...step);
    else if (event.key === "+" || event.key === "=") plane.zoom(1.4);
    else if (event.key === "-") plane.zoom(1 / 1.4);
    else if (event.key === "0") plane.fit();
    else return;
    event.preventDefault();
  };
  document.getElementById("nearer").onclick = () => plane.zoom(1.6);
  document.getElementById("further").onclick = () => plane.zoom(1 / 1.6);
  window.addEventListener("resize", () => plane.canvas && plane.draw());
}
