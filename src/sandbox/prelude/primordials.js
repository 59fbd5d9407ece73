// Built-ins as they were before any code of an extension ran. Glue uses these and never looks one up again, so that a patched
// prototype changes what the extension does, not what the glue does.
'use strict';
const { bind, call: functionCall } = Function.prototype;
const uncurry = bind.bind(functionCall);
const {
  Array, ArrayBuffer, BigInt, Boolean, DataView, Date, Error, EvalError, Map, Number, Object, Promise, RangeError, ReferenceError,
  RegExp, Set, String, Symbol, SyntaxError, TypeError, URIError, Uint8Array, WeakMap, InternalError,
  BigInt64Array, BigUint64Array, Float16Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Uint8ClampedArray, Uint16Array,
  Uint32Array,
} = globalThis;
const { apply: ReflectApply, ownKeys: ReflectOwnKeys } = Reflect;
const {
  assign: ObjectAssign, create: ObjectCreate, defineProperty: ObjectDefineProperty, freeze: ObjectFreeze,
  getOwnPropertyDescriptor: ObjectGetOwnPropertyDescriptor, getPrototypeOf: ObjectGetPrototypeOf, isFrozen: ObjectIsFrozen,
  is: ObjectIs, keys: ObjectKeys,
} = Object;
const ObjectHasOwn = Object.hasOwn;
const IsPrototypeOf = uncurry(Object.prototype.isPrototypeOf);
const ArrayIsArray = Array.isArray;
const PromiseThen = uncurry(Promise.prototype.then);
const MapGet = uncurry(Map.prototype.get);
const MapSet = uncurry(Map.prototype.set);
const MapHas = uncurry(Map.prototype.has);
const MapForEach = uncurry(Map.prototype.forEach);
const SetAdd = uncurry(Set.prototype.add);
const SetForEach = uncurry(Set.prototype.forEach);
const WeakMapGet = uncurry(WeakMap.prototype.get);
const WeakMapSet = uncurry(WeakMap.prototype.set);
const StringSlice = uncurry(String.prototype.slice);
const StringIndexOf = uncurry(String.prototype.indexOf);
const NumberIsInteger = Number.isInteger;
const DateGetTime = uncurry(Date.prototype.getTime);
const DateToISOString = uncurry(Date.prototype.toISOString);
const JSONStringify = JSON.stringify;
const JSONParse = JSON.parse;
const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';

const put = (object, key, value) =>
  ObjectDefineProperty(object, key, { __proto__: null, value, writable: true, configurable: true, enumerable: true });

/** What the JS half of a service may use. */
const primordials = ObjectFreeze({
  __proto__: null, Array, ArrayIsArray, DateToISOString, Error, JSONParse, JSONStringify, Map, MapGet, MapHas, MapSet, NumberIsInteger,
  ObjectAssign, ObjectCreate, ObjectDefineProperty, ObjectFreeze, ObjectHasOwn, ObjectKeys, Promise, PromiseThen, RangeError,
  ReflectApply, Set, String, StringIndexOf, StringSlice, TypeError, Uint8Array, isObject, put, uncurry,
});

const define = (object, name, value) =>
  ObjectDefineProperty(object, name, { __proto__: null, value, writable: true, configurable: true, enumerable: false });

/** An own or inherited data property, without running a getter. */
const dataProperty = (object, key) => {
  for (let at = object, steps = 0; at !== null && steps < 20; at = ObjectGetPrototypeOf(at), steps++) {
    if (native.classOf(at) === 'Proxy') return undefined;
    const property = ObjectGetOwnPropertyDescriptor(at, key);
    if (property !== undefined) return property.value;
  }
  return undefined;
};

const getter = (object, name) => uncurry(ObjectGetOwnPropertyDescriptor(object, name).get);
const TypedArrayPrototype = ObjectGetPrototypeOf(Uint8Array.prototype);

// What the scripts that are loaded later use; they are given it because by then anything may be patched.
const INSPECT = 0;
const CLONE = 1;
const CONSOLE = 12;
const kit = {
  __proto__: null, ArrayBuffer, DataView, dataProperty, Date, DateGetTime, DateToISOString, define, Error, EvalError, isObject,
  JSONStringify, Map, MapForEach, MapGet, MapHas, MapSet, Object, ObjectGetOwnPropertyDescriptor, ObjectHasOwn, ObjectIs, ObjectKeys, put,
  RangeError, ReferenceError, RegExp, Set, SetAdd, SetForEach, String, StringIndexOf, StringSlice, SyntaxError, TypeError, Uint8Array, URIError,
  BufferIsDetached: getter(ArrayBuffer.prototype, 'detached'),
  BufferSlice: uncurry(ArrayBuffer.prototype.slice),
  BufferTransfer: uncurry(ArrayBuffer.prototype.transfer),
  DOMException: globalThis.DOMException,
  DOMExceptionMessage: getter(globalThis.DOMException.prototype, 'message'),
  DOMExceptionName: getter(globalThis.DOMException.prototype, 'name'),
  ErrorStack: getter(Error.prototype, 'stack'),
  MapSize: getter(Map.prototype, 'size'),
  ObjectGetPrototypeOf,
  ObjectPrototype: Object.prototype,
  RegExpFlags: getter(RegExp.prototype, 'flags'),
  RegExpSource: getter(RegExp.prototype, 'source'),
  RegExpToString: uncurry(RegExp.prototype.toString),
  SetSize: getter(Set.prototype, 'size'),
  SymbolIterator: Symbol.iterator,
  TypedArrayBuffer: getter(TypedArrayPrototype, 'buffer'),
  TypedArrayByteLength: getter(TypedArrayPrototype, 'byteLength'),
  TypedArrayByteOffset: getter(TypedArrayPrototype, 'byteOffset'),
  TypedArrayLength: getter(TypedArrayPrototype, 'length'),
  typedArrays: {
    __proto__: null, BigInt64Array, BigUint64Array, Float16Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Uint8Array,
    Uint8ClampedArray, Uint16Array, Uint32Array,
  },
  ViewBuffer: getter(DataView.prototype, 'buffer'),
  ViewLength: getter(DataView.prototype, 'byteLength'),
  ViewOffset: getter(DataView.prototype, 'byteOffset'),
  valueOfs: {
    __proto__: null,
    BigInt: uncurry(BigInt.prototype.valueOf),
    Boolean: uncurry(Boolean.prototype.valueOf),
    Number: uncurry(Number.prototype.valueOf),
    String: uncurry(String.prototype.valueOf),
  },
};

let clone;
define(globalThis, 'structuredClone', function structuredClone(value, options) {
  if (arguments.length === 0) throw new TypeError('structuredClone takes a value');
  clone ??= native.script(CLONE)(native, kit, webParts);
  return clone(value, options);
});
