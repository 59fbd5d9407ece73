// What isn't there says what to use instead. The engine of a running isolate has no compiler at all, so nothing here is what keeps
// code from compiling text: it only makes the refusal readable.
const refuse = (what, instead) => {
  const refused = function () {
    throw new EvalError(what + ' is not available in extensions: ' + instead);
  };
  return refused;
};
for (const [sample, name] of [
  [function () {}, 'Function'],
  [async function () {}, 'AsyncFunction'],
  [function* () {}, 'GeneratorFunction'],
  [async function* () {}, 'AsyncGeneratorFunction'],
]) {
  const proto = ObjectGetPrototypeOf(sample);
  const refused = refuse(name + '()', 'write the function out');
  ObjectDefineProperty(refused, 'name', { __proto__: null, value: name, configurable: true });
  ObjectDefineProperty(refused, 'prototype', { __proto__: null, value: proto });
  ObjectDefineProperty(proto, 'constructor', { __proto__: null, value: refused, writable: name === 'Function', configurable: true });
  if (name === 'Function') define(globalThis, name, refused);
}
define(globalThis, 'eval', refuse('eval()', 'write the code out, or read data with JSON.parse'));
define(globalThis, 'SharedArrayBuffer', refuse('SharedArrayBuffer', 'a call runs on one thread; use ArrayBuffer'));
define(globalThis, 'WebAssembly', ObjectFreeze({
  __proto__: null,
  compile: refuse('WebAssembly', 'use JavaScript'),
  instantiate: refuse('WebAssembly', 'use JavaScript'),
  validate: refuse('WebAssembly', 'use JavaScript'),
  Module: refuse('WebAssembly', 'use JavaScript'),
  Instance: refuse('WebAssembly', 'use JavaScript'),
}));
define(Atomics, 'wait', refuse('Atomics.wait', 'await a promise'));
define(Atomics, 'waitAsync', refuse('Atomics.waitAsync', 'await a promise'));
define(globalThis, 'require', refuse('require()', 'a runtime extension has no modules; make it a file-based one to import'));
// These hand out functions of the glue. Without the engine's own accessor a property of that name is a property like any other.
delete Error.prepareStackTrace;
delete Error.stackTraceLimit;
define(globalThis, 'self', globalThis);
define(Math, 'random', native.random);

// What many programs expect and isn't there. These names stay undefined, because libraries ask whether they are; where a call ends because
// of one, its error says what to use.
const instead = {
  __proto__: null,
  Buffer: 'use Uint8Array, TextEncoder and TextDecoder; atob and btoa for base64',
  EventSource: 'read the body of fetch(url) piece by piece',
  Intl: 'there is one locale and one time zone, UTC: format with a package, or where it is shown',
  MessageChannel: 'use queueMicrotask or an EventTarget',
  WebSocket: 'ask with fetch',
  Worker: 'a call runs on one thread; enqueue() starts work of its own',
  XMLHttpRequest: 'ask with fetch',
  __dirname: 'there are no files: import what belongs to the extension',
  __filename: 'there are no files: import what belongs to the extension',
  caches: 'keep it in a collection',
  document: 'there is no page',
  exports: 'use export: files are ES modules',
  global: 'use globalThis',
  importScripts: 'use import',
  indexedDB: 'keep it in a collection',
  localStorage: 'keep it in a collection',
  module: 'use export: files are ES modules',
  navigator: 'there is no browser',
  process: 'services.env has the settings',
  sessionStorage: 'keep it in a collection',
  setImmediate: 'use setTimeout(callback, 0) or queueMicrotask',
  clearImmediate: 'use setTimeout and clearTimeout',
  window: 'use globalThis',
};
const NOT_DEFINED = ' is not defined';

/** The message of an error that ends a call, with what to use where a name isn't there. */
const advised = (name, message) => {
  if (name !== 'ReferenceError') return message;
  const at = message.length - NOT_DEFINED.length;
  if (at <= 0 || StringSlice(message, at) !== NOT_DEFINED) return message;
  const what = StringSlice(message, 0, at);
  return what in instead ? message + ': ' + instead[what] : message;
};
