// What each chain of commands used, all its processes together: a level a row, the widest first.

class Icicle {
  constructor(canvas, data, choose) {
    this.canvas = canvas;
    this.data = data;
    this.boxes = [];
    this.showsCpu = data.cpu.some((cpu) => cpu > 0);
    const level = 18;
    const [root, deepest] = this.fold();
    this.depth = Math.min(deepest, 24);
    this.canvas.height = this.depth * level;
    this.level = level;
    this.root = root;
    canvas.addEventListener('pointermove', (event) => {
      const box = this.at(event.offsetX, event.offsetY);
      canvas.title = box ? `${box.path}: ${time(box.weight)} in ${box.count.toLocaleString('en')} processes` : '';
    });
    canvas.addEventListener('click', (event) => {
      const box = this.at(event.offsetX, event.offsetY);
      if (box) choose(box.name);
    });
  }

  /** Nodes by the names from the root down; the weight is CPU time, or where none is known run time. */
  fold() {
    const { data } = this;
    const known = this.showsCpu;
    const root = { name: '', path: '', own: 0, count: 0, children: new Map() };
    const nodes = new Array(data.count);
    const depths = new Uint16Array(data.count);
    let deepest = 0;
    for (let i = 0; i < data.count; i++) {
      const above = data.parent[i] < 0 ? root : nodes[data.parent[i]];
      const depth = data.parent[i] < 0 ? 1 : Math.min(depths[data.parent[i]] + 1, 60);
      const name = data.texts[data.name[i]];
      let node = depth === 60 ? above : above.children.get(name);
      if (!node) {
        node = { name, path: above.path ? `${above.path} > ${name}` : name, own: 0, count: 0, children: new Map() };
        above.children.set(name, node);
      }
      node.own += known ? Math.max(data.cpu[i], 0) : data.length[i];
      node.count++;
      nodes[i] = node;
      depths[i] = depth;
      deepest = Math.max(deepest, depth);
    }
    const sum = (node) => {
      node.weight = node.own;
      for (const child of node.children.values()) node.weight += sum(child);
      return node.weight;
    };
    sum(root);
    return [root, deepest];
  }

  draw(colors) {
    const { canvas, level } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, this.depth * level];
    canvas.style.height = `${height}px`;
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const context = canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = '11px system-ui, sans-serif';
    context.textBaseline = 'top';
    this.boxes = [];
    const scale = width / Math.max(this.root.weight, 1);
    const place = (node, x, depth) => {
      const children = [...node.children.values()].sort((a, b) => b.weight - a.weight);
      let at = x;
      for (const child of children) {
        const wide = child.weight * scale;
        // What is too narrow for a pixel is told in the table.
        if (wide < 1 || depth >= this.depth) break;
        const box = { x: at, y: depth * level, wide, ...child };
        this.boxes.push(box);
        context.fillStyle = depth % 2 ? colors.cpu : colors.bar;
        context.fillRect(at, box.y, Math.max(wide - 1, 1), level - 1);
        const fits = Math.floor((wide - 6) / 6.2);
        if (fits >= 3) {
          context.lineWidth = 2.5;
          context.strokeStyle = colors.page;
          context.fillStyle = colors.text;
          const text = `${child.name} ${time(child.weight)}`.slice(0, fits);
          context.strokeText(text, at + 3, box.y + 3);
          context.fillText(text, at + 3, box.y + 3);
        }
        place(child, at, depth + 1);
        at += wide;
      }
    };
    place(this.root, 0, 0);
  }

  at(x, y) {
    return this.boxes.find((box) => x >= box.x && x < box.x + box.wide && y >= box.y && y < box.y + this.level);
  }
}
