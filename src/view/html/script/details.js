// All that is known of a process, and what a selection comes to.

/** A process in lines of text. */
function describe(data, i) {
  const lines = [`${data.pid[i]}  ${data.texts[data.line[i]]}`];
  const length = data.length[i];
  const parts = [ended(data, i), `began at ${time(data.begin[i])}`, `ran ${time(length)}`];
  if (data.cpu[i] >= 0) parts.push(`CPU ${time(data.cpu[i])}`);
  if (data.wait[i] >= 0) parts.push(`waited ${time(data.wait[i])} for a CPU`);
  if (data.rss[i] >= 0) parts.push(`at most ${size(data.rss[i])} resident`);
  lines.push(parts.join(', '));
  const whose = data.texts[data.whose[i]];
  if (whose) lines.push(whose);
  if (data.status[i] > 0 && data.status[i] !== 512) {
    lines.push(data.passed.has(i) ? 'this failure was passed up to the root' : 'this failure was tolerated');
  }
  const segments = data.chain.filter(([of]) => of === i);
  if (segments.length) {
    const waited = segments.reduce((sum, [, from, to]) => sum + to - from, 0);
    lines.push(`the end waited ${time(waited)} for it`);
  }
  if (data.notes.has(i)) lines.push(data.texts[data.notes.get(i)]);
  const above = [];
  for (let up = data.parent[i]; up >= 0 && above.length < 50; up = data.parent[up]) {
    above.push(`${data.texts[data.name[up]]} (${data.pid[up]})`);
  }
  if (above.length) lines.push(`below ${above.join(', ')}`);
  return lines.join('\n');
}

/** What lies in a time: how many processes, and their CPU time, as if each had used it evenly. */
function selection(data, from, to) {
  let [count, failed, cpu] = [0, 0, 0];
  for (let i = 0; i < data.count; i++) {
    const overlap = Math.min(data.end[i], to) - Math.max(data.begin[i], from);
    if (overlap < 0) continue;
    count++;
    failed += data.status[i] > 0 && data.status[i] !== 512 ? 1 : 0;
    cpu += Math.max(data.cpu[i], 0) * overlap / Math.max(data.length[i], 1);
  }
  return `${time(to - from)} selected: ${count.toLocaleString('en')} processes, ${failed.toLocaleString('en')} failed, CPU ${time(cpu)}`;
}
