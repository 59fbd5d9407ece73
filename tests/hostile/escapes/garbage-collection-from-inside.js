// No handle on the collector, and finalisers tell nothing of other calls.
// expect: 201
// timeout: 2000
for (const name of ['gc', 'GC', '__gc', 'collect']) if (typeof globalThis[name] === 'function') throw new Error(`reached: ${name}`);
const seen = [];
const r = new FinalizationRegistry((v) => seen.push(v));
for (let i = 0; i < 1000; i++) r.register({}, i);
for (let i = 0; i < 100; i++) new Array(1000).fill({});
await new Promise((done) => setTimeout(done, 2));
if (seen.some((v) => typeof v !== 'number')) throw new Error('reached: a held value of another');
