// structuredClone, loaded when it is first called: what the web's algorithm copies.
(native, kit, webParts) => {
'use strict';
const { ArrayBuffer, BufferIsDetached, BufferSlice, BufferTransfer, DataView, dataProperty, Date, DateGetTime, define, DOMException,
  DOMExceptionMessage, DOMExceptionName, Error, EvalError, isObject, Map, MapForEach, MapGet, MapHas, MapSet, Object, ObjectHasOwn,
  ObjectKeys, put, RangeError, ReferenceError, RegExp, RegExpFlags, RegExpSource, Set, SetAdd, SetForEach, SyntaxError, TypedArrayBuffer,
  TypedArrayByteOffset, TypedArrayLength, typedArrays, TypeError, URIError, valueOfs, ViewBuffer, ViewLength, ViewOffset } = kit;
const MAX_CLONE_DEPTH = 1000;
const errorTypes = { __proto__: null, Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

const cloneError = (what) => new DOMException(what + ' could not be cloned', 'DataCloneError');

/** A copy of an object of the web platform: of a Blob, a File or a key. Others can't be copied; `undefined` if it is none of them. */
const clonePlatform = (value) => {
  if (webParts.forms?.isBlob(value)) return webParts.forms.cloneBlob(value);
  if (webParts.crypto?.isKey(value)) return webParts.crypto.cloneKey(value);
  for (const part in webParts) {
    const seen = webParts[part].shown?.(value);
    if (seen !== undefined) throw cloneError('A ' + seen.name);
  }
  return undefined;
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
  if (native.isTypedArray(value)) {
    // A view and what else looks at its buffer look at one buffer afterwards too.
    const buffer = cloneValue(TypedArrayBuffer(value), seen, depth + 1);
    return remember(new typedArrays[kind](buffer, TypedArrayByteOffset(value), TypedArrayLength(value)));
  }
  switch (kind) {
    case 'Date': return remember(new Date(DateGetTime(value)));
    case 'RegExp': return remember(new RegExp(RegExpSource(value), RegExpFlags(value)));
    case 'ArrayBuffer':
      if (BufferIsDetached(value)) throw cloneError('An ArrayBuffer that was given away');
      return remember(BufferSlice(value, 0));
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
    case 'DOMException': {
      const copy = remember(new DOMException(DOMExceptionMessage(value), DOMExceptionName(value)));
      define(copy, 'stack', dataProperty(value, 'stack'));
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
      const platform = clonePlatform(value);
      if (platform !== undefined) return remember(platform);
      const copy = remember({});
      const keys = ObjectKeys(value);
      for (let i = 0; i < keys.length; i++) put(copy, keys[i], cloneValue(value[keys[i]], seen, depth + 1));
      return copy;
    }
    default: throw cloneError('A ' + kind);
  }
};

/** The buffers to give away, each once. */
const transferred = (options) => {
  const given = new Map();
  if (options === undefined || options === null) return given;
  if (!isObject(options)) throw new TypeError('structuredClone takes its options as an object');
  const { transfer } = options;
  if (transfer === undefined) return given;
  if (!isObject(transfer)) throw new TypeError('structuredClone: transfer is a list');
  for (const one of transfer) {
    if (!isObject(one)) throw new TypeError('structuredClone: transfer is a list of objects');
    if (native.classOf(one) !== 'ArrayBuffer') {
      throw new DOMException('Only an ArrayBuffer can be transferred: it is the only thread', 'DataCloneError');
    }
    if (BufferIsDetached(one)) throw new DOMException('An ArrayBuffer that was given away can not be transferred', 'DataCloneError');
    if (MapHas(given, one)) throw new DOMException('The list of what is transferred has an ArrayBuffer twice', 'DataCloneError');
    MapSet(given, one, true);
  }
  return given;
};

return (value, options) => {
  const away = transferred(options);
  const copy = cloneValue(value, new Map(), 0);
  // Copied first: where that fails, nothing is given away.
  MapForEach(away, (_, buffer) => BufferTransfer(buffer));
  return copy;
};
}
