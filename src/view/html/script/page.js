// The page: draws, listens, and keeps what is shown in the address.

const $ = (id) => document.getElementById(id);

async function start() {
  const data = complete(await unpack($('data').textContent));
  const lanes = new Lanes($('lanes'), data);
  const usage = new Usage($('usage'), $('legend'), data);
  const page = { data, lanes, usage, hits: null, stale: true };
  page.table = new Table($('commands'), $('more'), data, (name) => search(page, name));
  page.icicle = new Icicle($('icicle'), $('cell'), data, () => { remember(page); redrawStale(page); });
  $('weight').textContent = `${page.icicle.showsCpu ? 'CPU time' : 'Run time'} by chain of commands`;
  $('chain').hidden = !data.chain.length;
  $('tools').hidden = false;
  listen(page);
  restore(page);
  redraw(page);
  document.documentElement.dataset.state = 'ready';
}

let waiting = false;

/** Once a frame, however much has changed. */
function redraw(page) {
  page.stale = true;
  redrawStale(page);
}

function redrawStale(page) {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw(page);
  });
}

/** What has changed: the processes, the chains of commands, or both. */
function draw(page) {
  if (page.stale) {
    page.lanes.draw();
    page.usage.draw(page.lanes);
  }
  page.stale = false;
  if (page.icicle.stale) page.icicle.draw(page.lanes.colors);
}

/** All of it, at once: what is printed doesn't wait for a frame. */
function drawAll(page) {
  page.stale = page.icicle.stale = true;
  draw(page);
}

function select(page, i, reveals) {
  page.lanes.selected = i;
  if (i >= 0 && reveals) page.lanes.reveal(i, false);
  $('details').textContent = i >= 0 ? describe(page.data, i) : '';
  remember(page);
  redraw(page);
}

function search(page, text) {
  $('search').value = text;
  page.hits = find(page.data, text);
  page.lanes.hits = page.hits && new Set(page.hits);
  page.icicle.search(page.hits);
  const count = page.hits ? page.hits.length : page.data.failures.length;
  $('hits').textContent = `${count.toLocaleString('en')} ${page.hits ? 'found' : 'failed'}`;
  remember(page);
  redraw(page);
}

/** To the next hit, or failure where nothing is looked for; by -1 to the previous one. */
function step(page, by) {
  const list = page.hits || page.data.failures;
  if (!list.length) return;
  const at = list.indexOf(page.lanes.selected);
  const next = at < 0 ? (by > 0 ? 0 : list.length - 1) : (at + by + list.length) % list.length;
  select(page, list[next], true);
}

function toggleChain(page) {
  page.lanes.showsChain = !page.lanes.showsChain;
  $('chain').setAttribute('aria-pressed', String(page.lanes.showsChain));
  remember(page);
  redraw(page);
}

function showAll(page) {
  page.lanes.show(0, page.data.span);
  page.lanes.top = 0;
  page.icicle.place = '0';
  remember(page);
  redraw(page);
}

/** What is shown goes into the address, so that a link shows the same. */
function remember(page) {
  const { lanes } = page;
  const state = new URLSearchParams();
  if (lanes.from > 0 || lanes.to < page.data.span) state.set('t', `${Math.round(lanes.from)}-${Math.round(lanes.to)}`);
  if (lanes.selected >= 0) state.set('p', String(lanes.selected));
  if ($('search').value) state.set('q', $('search').value);
  if (lanes.showsChain) state.set('c', '1');
  if (page.icicle.zoomed) state.set('z', page.icicle.place);
  page.hash = `#${state}`;
  // Browsers refuse to change it as often as a drag would.
  clearTimeout(page.timer);
  page.timer = setTimeout(() => history.replaceState(null, '', page.hash), 200);
}

function restore(page) {
  const state = new URLSearchParams(location.hash.slice(1));
  const [from, to] = (state.get('t') || '').split('-').map(Number);
  const process = Number(state.get('p') ?? -1);
  const chain = state.get('c') === '1';
  if (to > from) page.lanes.show(from, to);
  if (chain !== page.lanes.showsChain) toggleChain(page);
  page.icicle.place = state.get('z') || '0';
  search(page, state.get('q') || '');
  select(page, process >= 0 && process < page.data.count ? process : -1, !(to > from));
}

function listen(page) {
  const { lanes, data } = page;
  const changed = () => { remember(page); redraw(page); };
  // A canvas that changes its size is blank until it is drawn.
  new ResizeObserver(() => { lanes.resize(); drawAll(page); }).observe(document.body);
  const recolor = () => { lanes.colors = palette(); drawAll(page); };
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolor);
  addEventListener('hashchange', () => { if (location.hash !== page.hash) restore(page); });
  for (const [event, isPaper] of [['beforeprint', true], ['afterprint', false]]) {
    addEventListener(event, () => { document.documentElement.classList.toggle('paper', isPaper); recolor(); });
  }
  $('search').addEventListener('input', () => search(page, $('search').value));
  $('search').addEventListener('keydown', (event) => {
    if (event.key === 'Enter') step(page, event.shiftKey ? -1 : 1);
    if (event.key === 'Escape') { search(page, ''); lanes.canvas.focus(); }
  });
  $('next').addEventListener('click', () => step(page, 1));
  $('previous').addEventListener('click', () => step(page, -1));
  $('chain').addEventListener('click', () => toggleChain(page));
  $('all').addEventListener('click', () => showAll(page));
  const help = () => {
    $('keys').hidden = !$('keys').hidden;
    $('help').setAttribute('aria-expanded', String(!$('keys').hidden));
  };
  $('help').addEventListener('click', help);
  listenToKeys(page, help, changed);
  listenToPointers(page, changed);
  listenToIcicle(page);
  lanes.canvas.addEventListener('wheel', (event) => {
    if (event.ctrlKey || event.metaKey) lanes.zoom(Math.exp(event.deltaY / 300), event.offsetX);
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) lanes.pan(event.deltaX || event.deltaY);
    else if (data.rows.length * lanes.rowHeight > lanes.height) lanes.scroll(event.deltaY);
    else lanes.zoom(Math.exp(event.deltaY / 300), event.offsetX);
    event.preventDefault();
    changed();
  }, { passive: false });
}

function listenToKeys(page, help, changed) {
  const { lanes, data } = page;
  const keys = {
    ArrowLeft: () => lanes.pan(-lanes.width / 8),
    ArrowRight: () => lanes.pan(lanes.width / 8),
    ArrowUp: () => lanes.scroll(-60),
    ArrowDown: () => lanes.scroll(60),
    '+': () => lanes.zoom(0.5, lanes.width / 2),
    '=': () => lanes.zoom(0.5, lanes.width / 2),
    '-': () => lanes.zoom(2, lanes.width / 2),
    0: () => showAll(page),
    n: () => step(page, 1),
    p: () => step(page, -1),
    c: () => toggleChain(page),
    u: () => { if (lanes.selected >= 0 && data.parent[lanes.selected] >= 0) select(page, data.parent[lanes.selected], true); },
    Enter: () => { if (lanes.selected >= 0) lanes.reveal(lanes.selected, true); },
    i: () => $('icicle').focus(),
    '/': () => $('search').focus(),
    '?': help,
    Escape: () => { search(page, ''); select(page, -1, false); },
  };
  Object.assign(keys, { h: keys.ArrowLeft, l: keys.ArrowRight, k: keys.ArrowUp, j: keys.ArrowDown });
  // Where nothing has the focus, the pointer says which of the two is meant.
  const hasIcicle = () => document.activeElement === $('icicle')
    || (document.activeElement === document.body && $('icicle').matches(':hover'));
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return;
    if (event.key === 'Enter' && event.target.matches?.('button, a')) return;
    const action = keys[event.key];
    const isDone = hasIcicle() && page.icicle.press(event.key);
    if (!action && !isDone) return;
    event.preventDefault();
    if (!isDone) { action(); changed(); }
    if ((isDone || event.key === 'i') && document.activeElement === $('icicle')) $('cell').scrollIntoView({ block: 'nearest' });
  });
}

/** A drag moves, with Shift it selects; two fingers zoom; a click chooses a process. */
function listenToPointers(page, changed) {
  const { lanes, data } = page;
  const { canvas } = lanes;
  const down = new Map();
  let [moved, selects, begin] = [false, false, 0];
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, [event.offsetX, event.offsetY]);
    [moved, selects, begin] = [false, event.shiftKey, event.offsetX];
  });
  canvas.addEventListener('pointermove', (event) => {
    const before = down.get(event.pointerId);
    if (!before) {
      const i = lanes.at(event.offsetX, event.offsetY);
      if (i !== lanes.hovered) {
        lanes.hovered = i;
        canvas.title = i >= 0 ? `${data.pid[i]} ${data.texts[data.line[i]].slice(0, 200)}` : '';
        if (lanes.selected < 0) $('details').textContent = i >= 0 ? describe(data, i) : '';
        redraw(page);
      }
      return;
    }
    const [dx, dy] = [event.offsetX - before[0], event.offsetY - before[1]];
    if (Math.abs(dx) + Math.abs(dy) > 2) moved = true;
    if (down.size === 2) {
      const other = [...down].find(([id]) => id !== event.pointerId)[1];
      const wide = (x) => Math.max(Math.abs(x - other[0]), 10);
      lanes.zoom(wide(before[0]) / wide(event.offsetX), other[0]);
    } else if (selects) {
      const [from, to] = [begin, event.offsetX].sort((a, b) => a - b).map((x) => lanes.us(x));
      $('details').textContent = selection(data, from, to);
    } else {
      lanes.pan(-dx);
      lanes.scroll(-dy);
    }
    down.set(event.pointerId, [event.offsetX, event.offsetY]);
    changed();
  });
  const up = (event) => {
    if (down.delete(event.pointerId) && !moved && event.type === 'pointerup') {
      select(page, lanes.at(event.offsetX, event.offsetY), false);
    }
  };
  canvas.addEventListener('pointerup', up);
  canvas.addEventListener('pointercancel', up);
}

/** A click zooms, with Shift it searches for the command. */
function listenToIcicle(page) {
  const { icicle } = page;
  const { canvas } = icicle;
  const at = (event) => icicle.at(event.offsetX, event.offsetY);
  canvas.addEventListener('pointermove', (event) => {
    const box = at(event);
    icicle.point(box);
    canvas.title = box ? icicle.describe(box) : '';
  });
  canvas.addEventListener('pointerleave', () => { if (document.activeElement !== canvas) icicle.point(null); });
  canvas.addEventListener('focus', () => icicle.point(icicle.current || icicle.whole));
  canvas.addEventListener('blur', () => icicle.point(null));
  canvas.addEventListener('click', (event) => {
    const box = at(event);
    if (!box) return;
    if (event.shiftKey && box.from < 0) search(page, box.node.name);
    else icicle.zoom(box.node, box.from);
  });
}

start().catch((error) => {
  document.documentElement.dataset.state = 'failed';
  $('details').textContent = `The processes can't be drawn: ${error}`;
});
