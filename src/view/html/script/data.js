'use strict';
// The processes, as columns that were unpacked from the document's data block.

/** Reads the data block: base64 of gzip of JSON. */
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return JSON.parse(await new Response(stream).text());
}

/** Columns whose differences were stored become whole, and the others typed, so that drawing is fast. */
function complete(data) {
  const count = data.pid.length;
  const begin = new Float64Array(count);
  const end = new Float64Array(count);
  const parent = new Int32Array(count);
  let before = 0;
  for (let i = 0; i < count; i++) {
    before += data.begin[i];
    begin[i] = before;
    end[i] = before + data.length[i];
    parent[i] = data.parent[i] ? i - data.parent[i] : -1;
  }
  const passed = new Set(data.passed);
  const signals = new Map(data.signals);
  const notes = new Map(data.notes);
  const failures = [];
  for (let i = 0; i < count; i++) {
    if (data.status[i] > 0 && data.status[i] !== 512) failures.push(i);
  }
  failures.sort((a, b) => end[a] - end[b]);
  const rows = Array.from({ length: data.rows }, () => []);
  for (let i = 0; i < count; i++) rows[data.row[i]].push(i);
  for (const row of rows) row.sort((a, b) => begin[a] - begin[b]);
  return { ...data, count, begin, end, parent, passed, signals, notes, failures, rows };
}

/** A time in microseconds, with three digits. */
function time(us) {
  if (us < 0) return '-';
  if (us < 999.5) return `${Math.round(us)} us`;
  // Beyond that three digits would be 1.00e+3.
  if (us < 999.5e3) return `${(us / 1e3).toPrecision(3)} ms`;
  if (us < 59.95e6) return `${(us / 1e6).toPrecision(3)} s`;
  return `${Math.floor(us / 60e6)}m ${String(Math.floor((us / 1e6) % 60)).padStart(2, '0')}s`;
}

/** A point of time in microseconds, so exact that marks this far apart differ. */
function instant(us, step) {
  const [unit, name] = us < 1e3 ? [1, 'us'] : us < 1e6 ? [1e3, 'ms'] : [1e6, 's'];
  const digits = Math.max(0, Math.ceil(Math.log10(unit / step) - 1e-9));
  // A step such as 2.5 takes one digit more.
  const exact = Number.isInteger(Number((step / unit * 10 ** digits).toFixed(6))) ? digits : digits + 1;
  return `${(us / unit).toFixed(exact)} ${name}`;
}

/** A number of KiB. */
function size(kib) {
  if (kib < 0) return '-';
  const units = ['K', 'M', 'G', 'T'];
  let unit = 0;
  let value = kib;
  while (value >= 1024 && unit < 3) { value /= 1024; unit++; }
  return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)}${units[unit]}`;
}

/** How a process ended. */
function ended(data, i) {
  const status = data.status[i];
  if (status < 0) return 'still ran';
  if (status === 512) return 'ended, how is not known';
  if (status >= 256) return `ended by ${data.signals.get(status - 256)}`;
  return `exit status ${status}`;
}
