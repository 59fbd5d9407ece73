// The web platform: names that are there from the start, and scripts that are loaded when one of their names is first touched. Each part
// brings the built-ins that it needs out of `kit`, because by then anything may be patched.
ObjectAssign(kit, {
  DOMException: globalThis.DOMException, IsPrototypeOf, JSONParse, ObjectDefineProperty, Promise, PromiseThen, ReflectApply, ReflectOwnKeys,
  Uint8Array, enqueue, report, setTimer,
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
  StringToUpperCase: uncurry(String.prototype.toUpperCase),
  StringToWellFormed: uncurry(String.prototype.toWellFormed),
  SymbolAsyncIterator: Symbol.asyncIterator,
  SymbolIterator: Symbol.iterator,
  SymbolToStringTag: Symbol.toStringTag,
  TypedArrayBuffer: getter(TypedArrayPrototype, 'buffer'),
  TypedArrayByteLength: getter(TypedArrayPrototype, 'byteLength'),
  TypedArrayByteOffset: getter(TypedArrayPrototype, 'byteOffset'),
  TypedArraySet: uncurry(TypedArrayPrototype.set),
});

const webScripts = { __proto__: null, common: 2, url: 3, encoding: 4, events: 5, streams: 6, forms: 7, fetch: 8 };
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
