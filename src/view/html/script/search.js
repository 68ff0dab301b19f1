// Which processes a text or a regular expression finds.

/** A function that tells whether a text fits; none where nothing is looked for. */
function matcher(text) {
  if (!text) return null;
  const pattern = text.match(/^\/(.+)\/(i?)$/);
  if (pattern) {
    try {
      const regex = new RegExp(pattern[1], pattern[2]);
      return (line) => regex.test(line);
    } catch {
      return () => false;
    }
  }
  const small = text.toLowerCase();
  return (line) => line.toLowerCase().includes(small);
}

/** The processes whose command line or name fits, by their begin. Each text is looked at once. */
function find(data, text) {
  const fits = matcher(text);
  if (!fits) return null;
  const found = data.texts.map((line) => fits(line));
  const hits = [];
  for (let i = 0; i < data.count; i++) {
    if (found[data.line[i]] || found[data.name[i]] || String(data.pid[i]) === text) hits.push(i);
  }
  hits.sort((a, b) => data.begin[a] - data.begin[b]);
  return hits;
}
