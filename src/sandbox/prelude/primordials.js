// Built-ins as they were before any code of an extension ran. Glue uses these and never looks one up again, so that a patched
// prototype changes what the extension does, not what the glue does.
'use strict';
const { bind, call: functionCall } = Function.prototype;
const uncurry = bind.bind(functionCall);
const {
  Array, ArrayBuffer, BigInt, Boolean, DataView, Date, Error, EvalError, Map, Number, Object, Promise, RangeError, ReferenceError,
  RegExp, Set, String, Symbol, SyntaxError, TypeError, URIError, Uint8Array, WeakMap, InternalError,
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
const ErrorToString = uncurry(Error.prototype.toString);
const JSONStringify = JSON.stringify;
const JSONParse = JSON.parse;
const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';

/** What the JS half of a service may use. */
const primordials = ObjectFreeze({
  __proto__: null, Array, ArrayIsArray, DateToISOString, Error, JSONParse, JSONStringify, Map, MapGet, MapHas, MapSet, NumberIsInteger,
  ObjectAssign, ObjectCreate, ObjectDefineProperty, ObjectFreeze, ObjectHasOwn, ObjectKeys, Promise, PromiseThen, RangeError,
  ReflectApply, Set, String, StringIndexOf, StringSlice, TypeError, Uint8Array, isObject, uncurry,
});

const define = (object, name, value) =>
  ObjectDefineProperty(object, name, { __proto__: null, value, writable: true, configurable: true, enumerable: false });
