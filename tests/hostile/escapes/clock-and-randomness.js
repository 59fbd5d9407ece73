// The clock of the call gives no address and no start of the host; randomness is not predictable by a reset.
// expect: 201
// timeout: 2000
const a = performance.now();
if (!(a >= 0 && a < 60000)) throw new Error(`reached: ${a} ms is not the time of this call`);
const seen = new Set();
for (let i = 0; i < 1000; i++) seen.add(Math.random());
if (seen.size < 990) throw new Error('reached: random numbers repeat');
