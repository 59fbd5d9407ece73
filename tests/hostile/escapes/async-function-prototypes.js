// The prototypes behind async functions and generators hold no constructor that works.
// expect: 201
// timeout: 2000
for (const sample of [async () => {}, function* () {}, async function* () {}, (function* () {})(), (async function* () {})()])
  for (let p = sample; p; p = Object.getPrototypeOf(p)) {
    const c = Object.getOwnPropertyDescriptor(p, 'constructor')?.value;
    if (typeof c !== 'function' || c === Object || c === globalThis.Iterator) continue;
    let made;
    try {
      made = c('return 1');
    } catch {
      continue;
    }
    if (typeof made === 'function') throw new Error('reached: text became code');
  }
