// The commands, with what all processes of each took; sorted by any column.

const COLUMNS = [
  ['command', (row) => row.name, (row) => row.name],
  ['processes', (row) => row.count, (row) => row.count.toLocaleString('en')],
  ['failed', (row) => row.failed, (row) => row.failed.toLocaleString('en')],
  ['CPU', (row) => row.cpu, (row) => time(row.cpu)],
  ['waited for a CPU', (row) => row.wait, (row) => time(row.wait)],
  ['run time', (row) => row.length, (row) => time(row.length)],
  ['longest', (row) => row.longest, (row) => time(row.longest)],
  ['largest', (row) => row.rss, (row) => size(row.rss)],
];

/** More than a reader looks through. */
const SHOWN = 200;

/** Of two of which -1 is not known: what is known of both together. */
function sum(one, other) {
  return one < 0 ? other : one + Math.max(other, 0);
}

/** What the processes of each command came to. */
function commands(data) {
  const rows = new Map();
  for (let i = 0; i < data.count; i++) {
    const name = data.name[i];
    if (!rows.has(name)) {
      rows.set(name, { name: data.texts[name], count: 0, failed: 0, cpu: -1, wait: -1, length: 0, longest: 0, rss: -1 });
    }
    const row = rows.get(name);
    row.count++;
    row.failed += data.status[i] > 0 && data.status[i] !== 512 ? 1 : 0;
    row.cpu = sum(row.cpu, data.cpu[i]);
    row.wait = sum(row.wait, data.wait[i]);
    row.length += data.length[i];
    row.longest = Math.max(row.longest, data.length[i]);
    row.rss = Math.max(row.rss, data.rss[i]);
  }
  return [...rows.values()];
}

class Table {
  constructor(table, more, data, choose) {
    this.rows = commands(data);
    [this.column, this.down] = [3, true];
    this.body = table.tBodies[0];
    this.more = more;
    this.choose = choose;
    const header = table.tHead.insertRow();
    COLUMNS.forEach(([name], n) => {
      const cell = document.createElement('th');
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = name;
      button.addEventListener('click', () => {
        [this.down, this.column] = [this.column === n ? !this.down : n > 0, n];
        this.draw();
      });
      cell.append(button);
      header.append(cell);
    });
    this.header = header;
    this.draw();
  }

  draw() {
    const [, value] = COLUMNS[this.column];
    const sign = this.down ? -1 : 1;
    this.rows.sort((a, b) => (value(a) < value(b) ? -sign : value(a) > value(b) ? sign : 0));
    [...this.header.cells].forEach((cell, n) => {
      if (n === this.column) cell.setAttribute('aria-sort', this.down ? 'descending' : 'ascending');
      else cell.removeAttribute('aria-sort');
    });
    this.body.replaceChildren();
    const cut = this.rows.slice(SHOWN).reduce((count, row) => count + row.count, 0);
    this.more.textContent = cut ? `${(this.rows.length - SHOWN).toLocaleString('en')} more commands with ${cut.toLocaleString('en')} processes` : '';
    for (const row of this.rows.slice(0, SHOWN)) {
      const line = this.body.insertRow();
      COLUMNS.forEach(([, , text], n) => {
        const cell = line.insertCell();
        if (n > 0) { cell.textContent = text(row); return; }
        const link = document.createElement('a');
        link.href = '#';
        link.textContent = text(row);
        link.addEventListener('click', (event) => { event.preventDefault(); this.choose(row.name); });
        cell.append(link);
      });
    }
  }
}
