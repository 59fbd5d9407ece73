// Nowhere in the context, however deep, are tokens, passwords or hashes.
// expect: 201
// timeout: 2000
const seen = new Set();
const walk = (v, path, depth) => {
  if (depth > 6 || ((typeof v !== 'object' || v === null) && typeof v !== 'function') || seen.has(v)) {
    if (typeof v === 'string' && /token|argon2|Bearer |eyJ|correct horse/.test(v)) throw new Error(`reached: ${path}`);
    return;
  }
  seen.add(v);
  for (const k of Reflect.ownKeys(v)) {
    if (v === globalThis || k === 'title') continue;
    let child;
    try {
      child = v[k];
    } catch {
      continue;
    }
    walk(child, `${path}.${String(k)}`, depth + 1);
  }
};
walk(context, 'context', 0);
walk(meta, 'meta', 0);
walk(payload, 'payload', 0);
