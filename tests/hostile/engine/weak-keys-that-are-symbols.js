// Symbols as weak keys, registered and not.
// expect: 201
// timeout: 2000
const m = new WeakMap();
for (let i = 0; i < 2000; i++) {
  try {
    m.set(Symbol(i), i);
  } catch {}
}
try {
  m.set(Symbol.for('x'), 1);
} catch {}
try {
  new WeakRef(Symbol.for('x'));
} catch {}
