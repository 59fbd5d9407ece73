// What an earlier program of this suite left behind on purpose is not here.
// expect: 201
// timeout: 2000
for (const k of ['ran', 'leak', 'kept', 'native']) if (k in globalThis) throw new Error(`reached: ${k}`);
if (Object.prototype.views !== undefined || [].slug !== undefined) throw new Error('reached: a patched prototype');
globalThis.leak = globalThis.kept = 1;
