// structuredClone, loaded when it is first called: what the web's algorithm copies, without transfer.
(native, kit) => {
'use strict';
const { ArrayBuffer, BufferSlice, DataView, dataProperty, Date, DateGetTime, define, Error, EvalError, isObject, Map, MapForEach, MapGet,
  MapHas, MapSet, Object, ObjectHasOwn, ObjectKeys, put, RangeError, ReferenceError, RegExp, RegExpFlags, RegExpSource, Set, SetAdd,
  SetForEach, SyntaxError, TypedSlice, TypeError, URIError, valueOfs, ViewBuffer, ViewLength, ViewOffset } = kit;
const MAX_CLONE_DEPTH = 1000;
const errorTypes = { __proto__: null, Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

const cloneError = (what) => {
  const error = new Error(what + ' could not be cloned');
  define(error, 'name', 'DataCloneError');
  define(error, 'code', 25);
  return error;
};

const cloneValue = (value, seen, depth) => {
  if (typeof value === 'symbol') throw cloneError('A symbol');
  if (typeof value === 'function') throw cloneError('A function');
  if (!isObject(value)) return value;
  if (MapHas(seen, value)) return MapGet(seen, value);
  if (depth > MAX_CLONE_DEPTH) throw cloneError('A value nested deeper than ' + MAX_CLONE_DEPTH + ' levels');
  const kind = native.classOf(value);
  const remember = (copy) => {
    MapSet(seen, value, copy);
    return copy;
  };
  if (kind in valueOfs) return remember(Object(valueOfs[kind](value)));
  if (native.isTypedArray(value)) return remember(TypedSlice(value));
  switch (kind) {
    case 'Date': return remember(new Date(DateGetTime(value)));
    case 'RegExp': return remember(new RegExp(RegExpSource(value), RegExpFlags(value)));
    case 'ArrayBuffer': return remember(BufferSlice(value, 0));
    case 'DataView':
      return remember(new DataView(cloneValue(ViewBuffer(value), seen, depth + 1), ViewOffset(value), ViewLength(value)));
    case 'Map': {
      const copy = remember(new Map());
      MapForEach(value, (v, k) => MapSet(copy, cloneValue(k, seen, depth + 1), cloneValue(v, seen, depth + 1)));
      return copy;
    }
    case 'Set': {
      const copy = remember(new Set());
      SetForEach(value, (v) => SetAdd(copy, cloneValue(v, seen, depth + 1)));
      return copy;
    }
    case 'Error': {
      const type = errorTypes[dataProperty(value, 'name')] ?? Error;
      const message = dataProperty(value, 'message');
      const copy = remember(new type(message === undefined ? '' : ('' + message)));
      define(copy, 'stack', dataProperty(value, 'stack'));
      if (ObjectHasOwn(value, 'cause')) define(copy, 'cause', cloneValue(value.cause, seen, depth + 1));
      return copy;
    }
    case 'Array': {
      const copy = remember([]);
      copy.length = value.length;
      const keys = ObjectKeys(value);
      for (let i = 0; i < keys.length; i++) put(copy, keys[i], cloneValue(value[keys[i]], seen, depth + 1));
      return copy;
    }
    case 'Object':
    case 'Arguments': {
      const copy = remember({});
      const keys = ObjectKeys(value);
      for (let i = 0; i < keys.length; i++) put(copy, keys[i], cloneValue(value[keys[i]], seen, depth + 1));
      return copy;
    }
    default: throw cloneError('A ' + kind);
  }
};

return (value) => cloneValue(value, new Map(), 0);
}
