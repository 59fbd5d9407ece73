// The web platform: names that are there from the start, and scripts that are loaded when one of their names is first touched. Each part
// brings the built-ins that it needs out of `kit`, because by then anything may be patched.
ObjectAssign(kit, {
  IsPrototypeOf, JSONParse, ObjectDefineProperty, ObjectFreeze, Promise, PromiseThen, ReflectApply, ReflectOwnKeys, enqueue,
  report, setTimer,
  ArrayPrototype: Array.prototype,
  ArraySort: uncurry(Array.prototype.sort),
  AsyncIteratorPrototype: ObjectGetPrototypeOf(ObjectGetPrototypeOf(async function* () {}.prototype)),
  DateNow: Date.now,
  IteratorPrototype: Iterator.prototype,
  MathTrunc: Math.trunc,
  ObjectSetPrototypeOf: Object.setPrototypeOf,
  PromiseReject: bind.call(Promise.reject, Promise),
  PromiseResolve: bind.call(Promise.resolve, Promise),
  StringCharCodeAt: uncurry(String.prototype.charCodeAt),
  StringToLowerCase: uncurry(String.prototype.toLowerCase),
  StringToUpperCase: uncurry(String.prototype.toUpperCase),
  StringToWellFormed: uncurry(String.prototype.toWellFormed),
  SymbolAsyncIterator: Symbol.asyncIterator,
  SymbolToStringTag: Symbol.toStringTag,
  TypedArraySet: uncurry(TypedArrayPrototype.set),
});

const webScripts = {
  __proto__: null, common: 2, url: 3, encoding: 4, events: 5, streams: 6, forms: 7, fetch: 8, compression: 9, crypto: 10,
  performance: 11,
};
const webNames = {
  __proto__: null,
  url: ['URL', 'URLSearchParams'],
  encoding: ['TextDecoder', 'TextEncoder'],
  events: ['AbortController', 'AbortSignal', 'CustomEvent', 'Event', 'EventTarget'],
  streams: [
    'ByteLengthQueuingStrategy', 'CountQueuingStrategy', 'ReadableStream', 'ReadableStreamDefaultController', 'ReadableStreamDefaultReader',
    'TextDecoderStream', 'TextEncoderStream', 'TransformStream', 'TransformStreamDefaultController', 'WritableStream',
    'WritableStreamDefaultController', 'WritableStreamDefaultWriter',
  ],
  forms: ['Blob', 'File', 'FormData'],
  fetch: ['Headers', 'Request', 'Response'],
  compression: ['CompressionStream', 'DecompressionStream'],
  crypto: ['Crypto', 'CryptoKey', 'SubtleCrypto', 'crypto'],
};
const webParts = { __proto__: null };
const webGetters = { __proto__: null };

/** What a part of the web platform hands to the glue; loads it and defines its globals if that hasn't happened. */
const need = (part) => {
  const loaded = webParts[part];
  if (loaded !== undefined) return loaded;
  const made = native.script(webScripts[part])(native, kit, need, have);
  webParts[part] = made;
  const names = webNames[part];
  for (let i = 0; names !== undefined && i < names.length; i++) {
    // What code has deleted or replaced meanwhile stays as it wants it.
    const property = ObjectGetOwnPropertyDescriptor(globalThis, names[i]);
    if (property !== undefined && property.get === webGetters[names[i]]) define(globalThis, names[i], made[names[i]]);
  }
  return made;
};

/** The same if it is loaded: without it no value of its classes exists. */
const have = (part) => webParts[part];

for (const part in webNames) {
  for (const name of webNames[part]) {
    const get = () => need(part)[name];
    const set = function (value) {
      define(isObject(this) ? this : globalThis, name, value);
    };
    ObjectDefineProperty(globalThis, name, { __proto__: null, get, set, configurable: true, enumerable: false });
    webGetters[name] = get;
  }
}

// What a call has marked, by a script of its own.
const marking = (name) => ({ [name](...args) { return ReflectApply(need('performance')[name], undefined, args); } })[name];
let timeOrigin;
const performanceMembers = { __proto__: null, now: native.now };
for (const name of ['clearMarks', 'clearMeasures', 'getEntries', 'getEntriesByName', 'getEntriesByType', 'mark', 'measure', 'toJSON']) {
  performanceMembers[name] = marking(name);
}
ObjectDefineProperty(performanceMembers, 'timeOrigin', {
  __proto__: null, enumerable: true, get: () => timeOrigin ??= kit.DateNow() - native.now(),
});
define(globalThis, 'performance', ObjectFreeze(performanceMembers));

/** Where isolates are used again, what a call has counted and marked is no business of the next one's. */
const forgetCall = () => {
  timeOrigin = undefined;
  if (shown !== undefined) shown.state.indent = '';
  counting?.reset();
  have('performance')?.reset();
};
