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
define(globalThis, 'performance', ObjectFreeze({ __proto__: null, now: native.now }));
