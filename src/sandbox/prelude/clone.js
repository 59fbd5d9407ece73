// structuredClone: what the web's algorithm copies, without transfer.
const MAX_CLONE_DEPTH = 1000;
const typedArrays = { __proto__: null };
for (const name of ['Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array',
  'BigInt64Array', 'BigUint64Array', 'Float16Array', 'Float32Array', 'Float64Array']) typedArrays[name] = globalThis[name];
const BufferSlice = uncurry(ArrayBuffer.prototype.slice);
const TypedSlice = uncurry(ObjectGetPrototypeOf(Uint8Array.prototype).slice);
const ViewBuffer = uncurry(ObjectGetOwnPropertyDescriptor(DataView.prototype, 'buffer').get);
const ViewOffset = uncurry(ObjectGetOwnPropertyDescriptor(DataView.prototype, 'byteOffset').get);
const ViewLength = uncurry(ObjectGetOwnPropertyDescriptor(DataView.prototype, 'byteLength').get);
const RegExpSource = uncurry(ObjectGetOwnPropertyDescriptor(RegExp.prototype, 'source').get);
const RegExpFlags = uncurry(ObjectGetOwnPropertyDescriptor(RegExp.prototype, 'flags').get);
const valueOfs = {
  __proto__: null,
  Number: uncurry(Number.prototype.valueOf),
  String: uncurry(String.prototype.valueOf),
  Boolean: uncurry(Boolean.prototype.valueOf),
  BigInt: uncurry(BigInt.prototype.valueOf),
};
const errorTypes = { __proto__: null, Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

const cloneError = (what) => {
  const error = new Error(`${what} could not be cloned`);
  define(error, 'name', 'DataCloneError');
  define(error, 'code', 25);
  return error;
};

const put = (object, key, value) =>
  ObjectDefineProperty(object, key, { __proto__: null, value, writable: true, configurable: true, enumerable: true });

const cloneValue = (value, seen, depth) => {
  if (typeof value === 'symbol') throw cloneError('A symbol');
  if (typeof value === 'function') throw cloneError('A function');
  if (!isObject(value)) return value;
  if (MapHas(seen, value)) return MapGet(seen, value);
  if (depth > MAX_CLONE_DEPTH) throw cloneError(`A value nested deeper than ${MAX_CLONE_DEPTH} levels`);
  const kind = native.classOf(value);
  const remember = (copy) => {
    MapSet(seen, value, copy);
    return copy;
  };
  if (kind in valueOfs) return remember(Object(valueOfs[kind](value)));
  if (kind in typedArrays) return remember(TypedSlice(value));
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
      const copy = remember(new type(message === undefined ? '' : `${message}`));
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
    default: throw cloneError(`A ${kind}`);
  }
};
define(globalThis, 'structuredClone', function structuredClone(value) {
  if (arguments.length === 0) throw new TypeError('structuredClone takes a value');
  return cloneValue(value, new Map(), 0);
});
