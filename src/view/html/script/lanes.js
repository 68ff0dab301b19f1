// The processes as bars over time: a row holds those that don't overlap, children stand below.

/** Colours, as the style sheet has them. */
function palette() {
  const style = getComputedStyle(document.documentElement);
  const names = ['page', 'text', 'dim', 'line', 'bar', 'cpu', 'waiting', 'failed', 'tolerated', 'chain', 'hit'];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** Bars narrower than this are drawn as runs. */
const THIN = 1.5;
/** How high the axis is, above the rows. */
const AXIS = 22;
/** A failure is at least so wide, at every zoom. */
const FAILURE = 3;

class Lanes {
  constructor(canvas, data) {
    this.canvas = canvas;
    this.data = data;
    this.colors = palette();
    this.from = 0;
    this.to = Math.max(data.span, 1);
    this.top = 0;
    this.selected = -1;
    this.hovered = -1;
    this.hits = null;
    this.showsChain = false;
    this.chain = new Map();
    for (const [i, from, to] of data.chain) {
      if (!this.chain.has(i)) this.chain.set(i, []);
      this.chain.get(i).push([from, to]);
    }
    this.resize();
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    const wanted = this.data.rows.length * 20 + 24;
    this.height = Math.round(Math.min(Math.max(wanted, 80), Math.max(window.innerHeight * 0.6, 240)));
    this.canvas.style.height = `${this.height}px`;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.context = this.canvas.getContext('2d');
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    // All rows, if they can be told apart; else as many as fit.
    const room = this.height - AXIS;
    this.rowHeight = Math.min(20, Math.max(4, Math.floor(room / Math.max(this.data.rows.length, 1))));
    this.scroll(0);
  }

  scroll(by) {
    const most = Math.max(0, this.data.rows.length * this.rowHeight - (this.height - AXIS));
    this.top = Math.min(Math.max(this.top + by, 0), most);
  }

  x(us) { return (us - this.from) / (this.to - this.from) * this.width; }
  us(x) { return this.from + x / this.width * (this.to - this.from); }

  /** Shows this time, within the whole. */
  show(from, to) {
    const whole = Math.max(this.data.span, 1);
    const length = Math.min(Math.max(to - from, 1), whole);
    this.from = Math.min(Math.max(from, 0), whole - length);
    this.to = this.from + length;
  }

  zoom(factor, x) {
    const at = this.us(x);
    this.show(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  pan(pixels) {
    const by = pixels / this.width * (this.to - this.from);
    this.show(this.from + by, this.to + by);
  }

  /** The first process of a row that ends after this time. */
  first(row, us) {
    let [low, high] = [0, row.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.data.end[row[middle]] < us) low = middle + 1; else high = middle;
    }
    return low;
  }

  draw() {
    const { context, colors, width, height, rowHeight } = this;
    context.fillStyle = colors.page;
    context.fillRect(0, 0, width, height);
    this.axis();
    context.save();
    context.beginPath();
    context.rect(0, AXIS, width, height - AXIS);
    context.clip();
    const firstRow = Math.floor(this.top / rowHeight);
    const lastRow = Math.min(this.data.rows.length, Math.ceil((this.top + height - AXIS) / rowHeight));
    for (let row = firstRow; row < lastRow; row++) this.row(this.data.rows[row], this.y(row));
    if (this.showsChain) this.drawChain(firstRow, lastRow);
    for (const i of [this.hovered, this.selected]) if (i >= 0) this.outline(i);
    context.restore();
    this.failures(firstRow, lastRow);
    document.documentElement.dataset.painted = String(Math.round(performance.now()));
  }

  y(row) { return AXIS + row * this.rowHeight - this.top; }

  axis() {
    const { context, colors, width } = this;
    const span = this.to - this.from;
    let step = 10 ** Math.floor(Math.log10(span / Math.max(width / 160, 1)));
    for (const more of [2, 2.5, 2]) if (span / step > width / 90) step *= more;
    step = Math.max(step, 1);
    context.font = '11px system-ui, sans-serif';
    context.textBaseline = 'top';
    for (let us = Math.ceil(this.from / step) * step; us <= this.to; us += step) {
      const x = Math.round(this.x(us)) + 0.5;
      context.fillStyle = colors.line;
      context.fillRect(x, 0, 1, this.height);
      context.fillStyle = colors.dim;
      context.fillText(instant(us, step), x + 3, 4);
    }
  }

  /** One row: what is too short for a pixel becomes a run with its neighbours, never nothing. */
  row(row, y) {
    const { context, colors, data, rowHeight } = this;
    const bar = Math.max(rowHeight - 2, 2);
    let n = this.first(row, this.from);
    while (n < row.length && data.begin[row[n]] <= this.to) {
      const i = row[n];
      const x0 = this.x(data.begin[i]);
      const x1 = this.x(data.end[i]);
      const dim = this.hits && !this.hits.has(i);
      if (x1 - x0 >= THIN) {
        context.globalAlpha = dim ? 0.25 : 1;
        context.fillStyle = this.hits && !dim ? colors.hit : colors.bar;
        const left = Math.max(x0, -2);
        const right = Math.min(x1, this.width + 2);
        context.fillRect(left, y, right - left, bar);
        this.used(i, left, right, y, bar);
        if (rowHeight >= 14 && right - left > 24) this.label(i, left, right, y);
        context.globalAlpha = 1;
        n++;
        continue;
      }
      // A run up to the next gap of a pixel, found by leaps.
      let edge = x1;
      let hit = this.hits && this.hits.has(i);
      n++;
      while (n < row.length) {
        const next = row[n];
        const [from, to] = [this.x(data.begin[next]), this.x(data.end[next])];
        if (from > edge + 1 || to - from >= THIN || from > this.width) break;
        edge = Math.max(edge, to);
        hit = hit || (this.hits && this.hits.has(next));
        n = this.leap(row, n, edge);
      }
      context.globalAlpha = this.hits && !hit ? 0.25 : 1;
      context.fillStyle = hit ? colors.hit : colors.bar;
      context.fillRect(x0, y, Math.max(edge - x0, 1), bar);
      context.globalAlpha = 1;
    }
  }

  /** Beyond all that end within this pixel. */
  leap(row, n, edge) {
    if (this.hits) return n + 1;
    const until = this.us(edge + 0.5);
    let step = 1;
    while (n + step < row.length && this.data.end[row[n + step]] < until) step *= 2;
    const [low, high] = [n + (step >> 1), Math.min(n + step, row.length - 1)];
    let at = low;
    while (at < high && this.data.end[row[at]] < until) at++;
    return Math.max(at, n + 1);
  }

  /** As high as the part of its time in which it used a CPU. */
  used(i, left, right, y, bar) {
    const cpu = this.data.cpu[i];
    if (cpu <= 0) return;
    const part = Math.min(cpu / Math.max(this.data.length[i], 1), 1);
    const high = Math.max(Math.round(bar * part), 1);
    this.context.fillStyle = this.colors.cpu;
    this.context.fillRect(left, y + bar - high, right - left, high);
  }

  label(i, left, right, y) {
    const text = short(this.data.texts[this.data.line[i]]);
    caption(this.context, this.colors, text, Math.max(left, 0) + 3, Math.min(right, this.width) - 2, y + 2);
  }

  /**
   * Last, over all others, and at least so wide that they are seen; above the rows also those of
   * rows that aren't shown. What ends later than is shown is marked at the edge.
   */
  failures(firstRow, lastRow) {
    const { context, colors, data, rowHeight, width } = this;
    const bar = Math.max(rowHeight - 2, 2);
    for (const tolerated of [true, false]) {
      context.fillStyle = tolerated ? colors.tolerated : colors.failed;
      for (const i of data.failures) {
        if (data.passed.has(i) === tolerated) continue;
        if (data.end[i] < this.from || data.begin[i] > this.to) continue;
        const x = Math.min(Math.max(Math.round(this.x(data.end[i])) - FAILURE, 0), width - FAILURE);
        context.fillRect(x, AXIS - 4, FAILURE, 3);
        if (data.row[i] < firstRow || data.row[i] >= lastRow) continue;
        context.fillRect(x, Math.max(this.y(data.row[i]), AXIS), FAILURE, bar);
      }
    }
  }

  drawChain(firstRow, lastRow) {
    const { context, colors, data, rowHeight } = this;
    context.fillStyle = colors.chain;
    for (const [i, from, to] of data.chain) {
      if (data.row[i] < firstRow || data.row[i] >= lastRow || to < this.from || from > this.to) continue;
      const x = this.x(from);
      context.fillRect(x, this.y(data.row[i]) + Math.max(rowHeight - 4, 1), Math.max(this.x(to) - x, 1), 3);
    }
  }

  outline(i) {
    const { context, colors, data, rowHeight } = this;
    const x = this.x(data.begin[i]);
    context.lineWidth = 2;
    context.strokeStyle = colors.text;
    context.strokeRect(x - 1, this.y(data.row[i]) - 1, Math.max(this.x(data.end[i]) - x, 2) + 2, Math.max(rowHeight, 3));
  }

  /** The process at a point. */
  at(x, y) {
    const row = this.data.rows[Math.floor((y - AXIS + this.top) / this.rowHeight)];
    if (!row || y < AXIS) return -1;
    const near = 3 / this.width * (this.to - this.from);
    const us = this.us(x);
    let best = -1;
    for (let n = this.first(row, us - near); n < row.length; n++) {
      const i = row[n];
      if (this.data.begin[i] > us + near) break;
      if (this.data.begin[i] <= us && us <= this.data.end[i]) return i;
      if (best < 0) best = i;
    }
    return best;
  }

  /** Makes a process visible, and if it is too short to be seen, larger. */
  reveal(i, zooms) {
    const { data } = this;
    const length = Math.max(data.end[i] - data.begin[i], 1);
    const span = this.to - this.from;
    if (zooms) this.show(data.begin[i] - length * 0.2, data.end[i] + length * 0.2);
    else if (length / span * this.width < 8 || data.end[i] < this.from || data.begin[i] > this.to) {
      const around = Math.min(Math.max(length * 20, 1), span);
      this.show(data.begin[i] + length / 2 - around / 2, data.begin[i] + length / 2 + around / 2);
    }
    const y = data.row[i] * this.rowHeight;
    if (y < this.top || y > this.top + this.height - AXIS - this.rowHeight) {
      this.top = y - this.height / 2;
      this.scroll(0);
    }
  }
}

/** Without the directory of the program. */
function short(line) {
  return line.replace(/^[^ ']*\//, '');
}

/** Text in a bar, as much of it as fits. */
function caption(context, colors, text, left, right, y) {
  const fits = Math.floor((right - left) / 6.2);
  if (fits < 3) return;
  context.font = '11px system-ui, sans-serif';
  context.textBaseline = 'top';
  context.lineWidth = 2.5;
  context.strokeStyle = colors.page;
  context.fillStyle = colors.text;
  const shown = text.length > fits ? `${text.slice(0, fits - 1)}…` : text;
  context.strokeText(shown, left, y);
  context.fillText(shown, left, y);
}

/** CPUs busy, processes running and those that waited for a CPU, over the time that is shown. */
class Usage {
  constructor(canvas, legend, data) {
    this.canvas = canvas;
    this.legend = legend;
    this.data = data;
  }

  /** The legend. */
  tell(busy, waiting, running, colors) {
    const parts = [[colors.cpu, busy], [colors.waiting, waiting], [colors.dim, running],
      [colors.failed, 'failure passed up'], [colors.tolerated, 'tolerated'], [colors.chain, 'chain']];
    this.legend.replaceChildren(...parts.flatMap(([color, text]) => {
      const key = document.createElement('span');
      key.className = 'key';
      key.style.backgroundColor = color;
      return [key, text];
    }));
  }

  draw(lanes) {
    const { canvas, data } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, 60];
    canvas.style.height = `${height}px`;
    [canvas.width, canvas.height] = [Math.round(width * ratio), height * ratio];
    const context = canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const columns = Math.max(Math.floor(width / 2), 1);
    const step = (lanes.to - lanes.from) / columns;
    const [busy, waiting, running] = [0, 1, 2].map(() => new Float64Array(columns + 1));
    for (let i = 0; i < data.count; i++) {
      const [begin, end] = [data.begin[i], data.end[i]];
      if (end < lanes.from || begin > lanes.to) continue;
      const length = Math.max(end - begin, 1);
      const first = Math.max(Math.floor((begin - lanes.from) / step), 0);
      const last = Math.min(Math.floor((end - lanes.from) / step), columns - 1);
      const cpu = Math.max(data.cpu[i], 0) / length;
      const wait = Math.max(data.wait[i], 0) / length;
      for (let n = first; n <= last; n++) {
        const from = Math.max(begin, lanes.from + n * step);
        const to = Math.min(end, lanes.from + (n + 1) * step);
        const part = Math.max(to - from, 0) / step;
        busy[n] += cpu * part;
        waiting[n] += wait * part;
        running[n] += part;
      }
    }
    const cpus = data.cpus || Math.max(...busy, 1);
    const most = Math.max(cpus, ...busy.map((value, n) => value + waiting[n]));
    const colors = lanes.colors;
    context.clearRect(0, 0, width, height);
    for (let n = 0; n < columns; n++) {
      const used = busy[n] / most * (height - 4);
      const waited = waiting[n] / most * (height - 4);
      context.fillStyle = colors.cpu;
      context.fillRect(n * 2, height - used, 2, used);
      context.fillStyle = colors.waiting;
      context.fillRect(n * 2, height - used - waited, 2, waited);
    }
    const crowd = Math.max(...running, 1);
    context.strokeStyle = colors.dim;
    context.beginPath();
    for (let n = 0; n < columns; n++) context.lineTo(n * 2 + 1, height - 1 - running[n] / crowd * (height - 6));
    context.stroke();
    this.tell(data.cpus ? `CPUs busy, of ${data.cpus}` : 'CPUs busy, of how many is not known', `waiting for one`, `processes, at most ${Math.round(crowd)}`, colors);
  }
}
