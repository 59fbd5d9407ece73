// Everything is patched before any part of the web platform is loaded.
const { defineProperty, getOwnPropertyDescriptor, getOwnPropertyNames, getPrototypeOf } = Object;
const typed = getPrototypeOf(Uint8Array.prototype);
const targets = [Array.prototype, String.prototype, typed, ArrayBuffer.prototype, Map.prototype, RegExp.prototype, Object, Reflect, JSON, Promise, Math];
const names = targets.map((target) => getOwnPropertyNames(target));
const poison = () => { throw new Error('poisoned'); };
for (let i = 0; i < targets.length; i++) {
  for (let k = 0; k < names[i].length; k++) {
    const key = names[i][k], before = getOwnPropertyDescriptor(targets[i], key);
    if (key === 'constructor' || key === 'length' || key === 'prototype' || !before.configurable || key === 'defineProperty') continue;
    defineProperty(targets[i], key, 'value' in before ? { value: poison, configurable: true } : { get: poison, configurable: true });
  }
}
defineProperty(Array.prototype, Symbol.iterator, { value: poison });
defineProperty(Promise.prototype, 'then', { value: poison });
defineProperty(Function.prototype, 'call', { value: poison });
defineProperty(Array.prototype, 0, { set: poison, get: poison, configurable: true });
const web = glue('fetch');
let all = '';
const u = new URL('http://h/p?a=1'); u.searchParams.append('b', '2'); all += u.href;
all += ' ' + (new TextEncoder().encode('é')[1]) + ' ' + (new TextDecoder('utf-8').decode(new Uint8Array(1)).length);
const c = new AbortController(); c.abort('r'); all += ' ' + c.signal.reason;
const h = new Headers({ b: '1', a: '2' }); h.append('a', '3'); all += ' ' + h.get('a');
const f = new FormData(); f.append('k', 'v'); all += ' ' + f.get('k');
const s = new ReadableStream({ start(controller) { controller.enqueue(new Uint8Array(2)); controller.close(); } });
const answer = web.answer(new Response(s, { status: 202, headers: h }));
all += ' ' + answer.status + ' ' + answer.headers[0][0] + ' ' + ((await answer.body.read()).value[1]) + ' ' + ((await answer.body.read()).done);
all += ' ' + (web.answer(new Response('text')).body) + ' ' + (web.answer({ a: { b: 1 } }).body);
const q = web.request({ method: 'POST', url: 'http://h/', headers: h.none ?? { length: 0 }, body: { pull: async () => undefined, cancel() {} } });
all += ' ' + (await q.text() === '');
return all;
