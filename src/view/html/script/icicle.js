// What each chain of commands used, all its processes together: a level a row, the widest first. A cell
// that is clicked takes the whole width, those above it stay.

/** How high a row is. */
const LEVEL = 18;
/** So many rows below what takes the whole width. */
const ROWS = 24;
/** How wide what has no width is where it was asked for. */
const APART = 4;
/** Chains are not told apart below this. */
const DEEPEST = 60;

/** What some processes come to. */
function tally() {
  return { weight: 0, count: 0, passed: 0, tolerated: 0, found: 0 };
}

function add(sum, more) {
  for (const key of Object.keys(sum)) sum[key] += more[key];
}

class Icicle {
  constructor(canvas, cell, data, changed) {
    this.canvas = canvas;
    this.cell = cell;
    this.data = data;
    this.changed = changed;
    this.boxes = [];
    this.searches = false;
    this.current = null;
    this.stale = true;
    this.showsCpu = data.cpu.some((cpu) => cpu > 0);
    this.fold();
    // In the whole width: a node, or of its children only those from a number on, where that isn't -1.
    this.shown = { node: this.nodes[0], from: -1 };
  }

  /** Nodes by the names from the root down, parents first; the weight is CPU time, or where none is known run time. */
  fold() {
    const { data } = this;
    const node = (name, above) => {
      const depth = above ? above.depth + 1 : 0;
      return { name, above, depth, height: 0, number: 0, own: tally(), all: tally(), children: new Map() };
    };
    this.nodes = [node('all', null)];
    this.nodeOf = new Array(data.count);
    for (let i = 0; i < data.count; i++) {
      const above = data.parent[i] < 0 ? this.nodes[0] : this.nodeOf[data.parent[i]];
      const name = data.texts[data.name[i]];
      let of = above.depth === DEEPEST ? above : above.children.get(name);
      if (!of) {
        of = node(name, above);
        of.number = this.nodes.push(of) - 1;
        above.children.set(name, of);
      }
      // A little for each, so that those that used nothing can be told apart, too.
      of.own.weight += 1e-6 + (this.showsCpu ? Math.max(data.cpu[i], 0) : data.length[i]);
      of.own.count++;
      if (data.status[i] > 0 && data.status[i] !== 512) of.own[data.passed.has(i) ? 'passed' : 'tolerated']++;
      this.nodeOf[i] = of;
    }
    for (const of of this.nodes.toReversed()) {
      add(of.all, of.own);
      of.children = [...of.children.values()].sort((a, b) => b.all.weight - a.all.weight);
      if (!of.above) continue;
      add(of.above.all, of.all);
      of.above.height = Math.max(of.above.height, of.height + 1);
    }
  }

  /** Those that a search has found, or null. */
  search(hits) {
    this.searches = Boolean(hits);
    for (const { own, all } of this.nodes) own.found = all.found = 0;
    for (const i of hits || []) this.nodeOf[i].own.found++;
    for (const { own, all, above } of this.nodes.toReversed()) {
      all.found += own.found;
      if (above) above.all.found += all.found;
    }
    this.stale = true;
  }

  /** This in the whole width. */
  zoom(node, from, current = { node, from }) {
    this.shown = { node, from };
    this.current = current;
    this.layout();
    this.changed();
  }

  /** One up. */
  out() {
    const { node, from } = this.shown;
    this.zoom(from >= 0 || !node.above ? node : node.above, -1, { node, from });
  }

  get zoomed() {
    return this.shown.node.above !== null || this.shown.from >= 0;
  }

  /** What takes the whole width, as it is drawn. */
  get whole() {
    return this.boxes[this.shown.node.depth];
  }

  /** What is shown, as the address has it. */
  get place() {
    const { node, from } = this.shown;
    return from >= 0 ? `${node.number}-${from}` : String(node.number);
  }

  set place(text) {
    const [number, from = -1] = text.split('-').map(Number);
    const node = this.nodes[number] || this.nodes[0];
    this.shown = { node, from: node.children[from] ? from : -1 };
    this.current = null;
    this.layout();
  }

  /** What is drawn, and where. */
  layout() {
    const { node, from } = this.shown;
    this.stale = true;
    this.width = this.canvas.clientWidth;
    this.rows = Math.max(Math.min(this.nodes[0].height, ROWS) + 1, node.depth + 1 + Math.min(node.height, ROWS));
    this.boxes = [];
    const path = [];
    for (let up = node; up; up = up.above) path.unshift(up);
    let box = null;
    for (const up of path) box = this.box(box, up, 0, this.width, { isAbove: up !== node || from >= 0 });
    const whole = from >= 0 ? this.rest(node, from) : node.all;
    this.below(box, from, this.width / Math.max(whole.weight, 1e-6));
    const { current } = this;
    if (!current) return;
    this.current = this.boxes.find((one) => one.node === current.node && one.from === current.from)
      || (from >= 0 && this.boxes.find((one) => one.above === box)) || box;
  }

  box(above, node, x, wide, more) {
    const box = { above, node, from: -1, row: above ? above.row + 1 : 0, x, wide, own: node.own, all: node.all, ...more };
    this.boxes.push(box);
    return box;
  }

  /** The children of a box, those together that are too narrow for a pixel. */
  below(above, from, scale) {
    const { children } = above.node;
    // What lies below the last row is told in it.
    if (above.row + 1 >= this.rows) { above.own = above.all; return; }
    // Where even the widest of the narrow ones is too narrow, as many as can be pointed at.
    const isCrowded = from >= 0 && children[from].all.weight * scale < 1;
    let { x } = above;
    for (let n = Math.max(from, 0); n < children.length; n++) {
      const { weight } = children[n].all;
      const wide = isCrowded ? APART : weight * scale;
      if (n + 1 < children.length && (isCrowded ? x + 2 * APART > this.width : wide < 1)) {
        const all = this.rest(above.node, n);
        this.box(above, above.node, Math.min(x, this.width - 1), isCrowded ? this.width - x : all.weight * scale, { from: n, own: all, all });
        return;
      }
      this.below(this.box(above, children[n], Math.min(x, this.width - 1), wide), -1, wide / weight);
      x += wide;
    }
  }

  /** What the children from a number on come to. */
  rest(node, from) {
    const sum = tally();
    for (let n = from; n < node.children.length; n++) add(sum, node.children[n].all);
    return sum;
  }

  draw(colors) {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    this.layout();
    const height = this.rows * LEVEL;
    canvas.style.height = `${height}px`;
    [canvas.width, canvas.height] = [Math.round(this.width * ratio), Math.round(height * ratio)];
    const context = canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const box of this.boxes) this.bar(context, colors, box);
    if (this.current) {
      const { row, x, wide } = this.current;
      context.lineWidth = 2;
      context.strokeStyle = colors.text;
      context.strokeRect(x + 1, row * LEVEL + 1, Math.max(wide - 3, 1), LEVEL - 3);
    }
    // Failures last, over all others, and at least so wide that they are seen.
    for (const kind of ['tolerated', 'passed']) {
      context.fillStyle = kind === 'passed' ? colors.failed : colors.tolerated;
      for (const { own, row, x, wide } of this.boxes) {
        if (own[kind]) context.fillRect(Math.min(Math.max(x + wide - 1 - FAILURE, x), this.width - FAILURE), row * LEVEL, FAILURE, LEVEL - 1);
      }
    }
    this.cell.textContent = this.current || this.zoomed ? this.describe(this.current || this.whole) : '';
    this.stale = false;
  }

  bar(context, colors, { node, from, isAbove, row, x, wide, own, all }) {
    const y = row * LEVEL;
    const plain = isAbove ? colors.line : from >= 0 ? colors.dim : row % 2 ? colors.bar : colors.cpu;
    context.globalAlpha = this.searches && !all.found ? 0.25 : 1;
    context.fillStyle = own.found ? colors.hit : plain;
    context.fillRect(x, y, Math.max(wide - 1, 1), LEVEL - 1);
    caption(context, colors, `${from >= 0 ? 'more' : node.name} ${time(all.weight)}`, x + 3, x + wide - 1, y + 3);
    context.globalAlpha = 1;
  }

  /** A cell in words. */
  describe({ node, from, own, all }) {
    const names = [];
    for (let up = node; up.above; up = up.above) names.unshift(up.name);
    if (from >= 0) names.push(`${(node.children.length - from).toLocaleString('en')} more`);
    const whole = this.nodes[0].all.weight;
    const used = [`${this.showsCpu ? 'CPU' : 'ran'} ${time(all.weight)} (${(all.weight / Math.max(whole, 1e-6) * 100).toFixed(1)} %)`];
    if (own.count < all.count && own.count) used.push(`${time(own.weight)} of it itself`);
    used.push(`${all.count.toLocaleString('en')} ${all.count === 1 ? 'process' : 'processes'}`);
    if (all.passed + all.tolerated) used.push(`${(all.passed + all.tolerated).toLocaleString('en')} failed`);
    if (this.searches) used.push(`${all.found.toLocaleString('en')} found`);
    return `${names.join(' > ') || 'all'}: ${used.join(', ')}`;
  }

  /** The cell at a point, the narrowest where several are near. */
  at(x, y) {
    const row = Math.floor(y / LEVEL);
    let best = null;
    for (const box of this.boxes) {
      if (box.row !== row || x < box.x || x >= box.x + Math.max(box.wide, FAILURE)) continue;
      if (!best || box.wide <= best.wide) best = box;
    }
    return best;
  }

  /** Makes a cell the current one. */
  point(box) {
    if (box === this.current) return;
    this.current = box;
    this.stale = true;
    this.changed();
  }

  /** Whether a key was meant for it, which then has done its work. */
  press(key) {
    const current = this.current || this.whole;
    const beside = (by) => {
      const row = this.boxes.filter((box) => box.row === current.row);
      return row[row.indexOf(current) + by];
    };
    const keys = {
      ArrowUp: () => this.point(current.above || current),
      ArrowDown: () => this.point(this.boxes.find((box) => box.above === current) || current),
      ArrowLeft: () => this.point(beside(-1) || current),
      ArrowRight: () => this.point(beside(1) || current),
      Enter: () => this.zoom(current.node, current.from),
      Backspace: () => this.out(),
    };
    // Otherwise it is about what was searched for and selected.
    if (this.zoomed) keys.Escape = () => this.zoom(this.nodes[0], -1);
    Object.assign(keys, { h: keys.ArrowLeft, j: keys.ArrowDown, k: keys.ArrowUp, l: keys.ArrowRight });
    Object.assign(keys, { '+': keys.Enter, '=': keys.Enter, '-': keys.Backspace });
    if (!Object.hasOwn(keys, key)) return false;
    keys[key]();
    return true;
  }
}
