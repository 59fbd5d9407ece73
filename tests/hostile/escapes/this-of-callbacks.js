// No callback is called on an object of the host.
// expect: 201
// timeout: 2000
const seen = [];
const note = function () {
  'use strict';
  if (this !== undefined && this !== globalThis) seen.push(this);
};
await new Promise((r) => {
  setTimeout(function () {
    note.call(this === globalThis ? undefined : this);
    r();
  }, 0);
});
await new Promise((r) =>
  queueMicrotask(function () {
    note.call(this === globalThis ? undefined : this);
    r();
  }),
);
await Promise.resolve().then(function () {
  note.call(this === globalThis ? undefined : this);
});
[1].forEach(function () {
  note.call(this === globalThis ? undefined : this);
});
if (seen.length) throw new Error('reached: this');
