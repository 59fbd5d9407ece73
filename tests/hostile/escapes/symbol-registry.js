// Registered symbols open nothing, and none of the glue's is among those that objects show.
// expect: 201
// timeout: 2000
for (const name of ['nodejs.util.inspect.custom', 'trellis', 'trellis.host', 'native', 'kit', 'Deno.internal', 'host'])
  for (const o of [context, services, console, globalThis, Promise, Response, URL]) {
    const v = o[Symbol.for(name)];
    if (v !== undefined) throw new Error(`reached: ${name}`);
  }
for (const o of [
  context,
  services,
  await services.items('log'),
  console,
  URL.prototype,
  Headers.prototype,
  new Headers(),
  new URL('https://a.b'),
  new Response('x'),
  new AbortController().signal,
  new Blob([]),
])
  for (const s of Object.getOwnPropertySymbols(o))
    if (!Object.getOwnPropertyNames(Symbol).some((k) => Symbol[k] === s)) throw new Error(`reached: ${String(s)}`);
