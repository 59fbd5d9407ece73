// Values as text for the console, loaded when something is first shown: like a terminal would, with bounds, without running getters
// or proxy traps, and never throwing.
(native, kit, webParts) => {
'use strict';
const { dataProperty, DateGetTime, DateToISOString, DOMExceptionMessage, DOMExceptionName, JSONStringify, MapForEach, MapSize,
  ObjectGetOwnPropertyDescriptor, ObjectGetPrototypeOf, ObjectIs, ObjectKeys, ObjectPrototype, RegExpToString, SetForEach, SetSize, String,
  StringIndexOf, StringSlice, TypedArrayByteLength, TypedArrayLength, Uint8Array } = kit;
const MAX_DEPTH = 4;
const MAX_ITEMS = 100;
const MAX_LINE = 16384;

const errorText = (error, kind) => {
  const name = kind === 'DOMException' ? DOMExceptionName(error) : dataProperty(error, 'name');
  const message = kind === 'DOMException' ? DOMExceptionMessage(error) : dataProperty(error, 'message');
  const stack = dataProperty(error, 'stack');
  const head = (typeof name === 'string' ? name : 'Error') + ': ' + (typeof message === 'string' ? message : '');
  return typeof stack === 'string' && stack !== '' ? (head + '\n' + native.stack(stack)) : head;
};

const none = { __proto__: null, pairs: undefined };
const nothing = { __proto__: null, length: 0 };

/** What an object of the web platform is shown as. */
const platformOf = (value) => {
  for (const part in webParts) {
    const seen = webParts[part].shown?.(value);
    if (seen !== undefined) return seen;
  }
  return undefined;
};

/** The class of an instance, with a blank behind it; nothing for a plain object. */
const classNameOf = (value) => {
  const proto = ObjectGetPrototypeOf(value);
  if (proto === ObjectPrototype) return '';
  if (proto === null) return '[Object: null prototype] ';
  const made = dataProperty(proto, 'constructor');
  const name = typeof made === 'function' ? dataProperty(made, 'name') : undefined;
  return typeof name === 'string' && name !== '' && name !== 'Object' ? (StringSlice(name, 0, 100) + ' ') : '';
};

const inspectValue = (value, depth, quote, budget, seen) => {
  if (budget.left <= 0) return '…';
  const text = inspectAny(value, depth, quote, budget, seen);
  budget.left -= text.length;
  return text;
};

const inspectAny = (value, depth, quote, budget, seen) => {
  switch (typeof value) {
    case 'string': {
      const short = value.length > budget.left ? (StringSlice(value, 0, budget.left) + '…') : value;
      return quote ? JSONStringify(short) : short;
    }
    case 'bigint': return value + 'n';
    case 'symbol': return String(value);
    case 'function': {
      const name = dataProperty(value, 'name');
      return '[Function: ' + (typeof name === 'string' && name !== '' ? name : 'anonymous') + ']';
    }
    case 'object': break;
    default: return ObjectIs(value, -0) ? '-0' : ('' + value);
  }
  if (value === null) return 'null';
  for (let at = seen; at !== null; at = at.outer) if (at.value === value) return '[Circular]';
  const kind = native.classOf(value);
  if (kind === 'Proxy') return '[Proxy]';
  if (kind === 'Date') {
    const time = DateGetTime(value);
    return time === time ? DateToISOString(value) : 'Invalid Date';
  }
  if (kind === 'RegExp') return RegExpToString(value);
  if (kind === 'Error' || kind === 'DOMException') return errorText(value, kind);
  if (kind === 'Promise') return 'Promise {}';
  if (kind === 'ArrayBuffer') return 'ArrayBuffer { byteLength: ' + TypedArrayByteLength(new Uint8Array(value)) + ' }';
  const special = kind === 'Object' ? platformOf(value) : undefined;
  if (depth >= MAX_DEPTH) return kind === 'Array' ? '[Array]' : ('[' + kind + ']');
  const inner = { __proto__: null, value, outer: seen };
  let parts = '';
  let count = 0;
  let more = 0;
  const add = (part) => {
    parts += parts === '' ? part : (', ' + part);
    count++;
  };
  if (kind === 'Map') {
    MapForEach(value, (v, k) => {
      if (count >= MAX_ITEMS || budget.left <= 0) return;
      add(inspectValue(k, depth + 1, true, budget, inner) + ' => ' + inspectValue(v, depth + 1, true, budget, inner));
    });
    return 'Map(' + MapSize(value) + ') {' + (parts === '' ? '' : (' ' + parts + ' ')) + '}';
  }
  if (kind === 'Set') {
    SetForEach(value, (v) => {
      if (count < MAX_ITEMS && budget.left > 0) add(inspectValue(v, depth + 1, true, budget, inner));
    });
    return 'Set(' + SetSize(value) + ') {' + (parts === '' ? '' : (' ' + parts + ' ')) + '}';
  }
  let length = -1;
  if (kind === 'Array') length = value.length;
  else if (kind !== 'Object') {
    try { length = TypedArrayLength(value); } catch { length = -1; }
  }
  if (length >= 0) {
    for (let i = 0; i < length && i < MAX_ITEMS && budget.left > 0; i++) {
      const property = ObjectGetOwnPropertyDescriptor(value, i);
      add(property === undefined ? '<empty>' : 'value' in property ? inspectValue(property.value, depth + 1, true, budget, inner) : '[Getter]');
    }
    more = length - count;
    const label = kind === 'Array' ? '' : (kind + '(' + length + ') ');
    return label + '[' + (parts === '' ? '' : (' ' + parts)) + (more > 0 ? (', … ' + more + ' more') : '') + (parts === '' ? '' : ' ') + ']';
  }
  const { pairs } = special ?? none;
  if (pairs !== undefined) {
    for (let at = 0; at < pairs.length && count < MAX_ITEMS && budget.left > 0; at += 2) {
      add(JSONStringify(pairs[at]) + ' => ' + inspectValue(pairs[at + 1], depth + 1, true, budget, inner));
    }
    more = pairs.length / 2 - count;
  }
  const keys = pairs === undefined ? ObjectKeys(special?.value ?? value) : nothing;
  for (let i = 0; i < keys.length && count < MAX_ITEMS && budget.left > 0; i++) {
    const key = keys[i];
    const property = ObjectGetOwnPropertyDescriptor(special?.value ?? value, key);
    if (property === undefined) continue;
    const shown = 'value' in property ? inspectValue(property.value, depth + 1, true, budget, inner) : '[Getter]';
    add((native.isName(key) ? key : JSONStringify(key)) + ': ' + shown);
  }
  if (pairs === undefined) more = keys.length - count;
  const label = special !== undefined ? (special.name + ' ') : kind === 'Object' ? classNameOf(value) : (kind + ' ');
  return label + '{' + (parts === '' ? '' : (' ' + parts + (more > 0 ? (', … ' + more + ' more') : '') + ' ')) + '}';
};

const inspect = (value) => {
  try {
    return inspectValue(value, 0, false, { __proto__: null, left: MAX_LINE }, null);
  } catch {
    return '[unprintable]';
  }
};

/** A number for `%d`, `%i` and `%f`, without calling anything of the value's. */
const numberOf = (value, letter) => {
  if (typeof value === 'bigint') return value + 'n';
  const number = typeof value === 'number' ? value : typeof value === 'string' ? +value : NaN;
  return inspect(letter === 'i' && number === number ? number - (number % 1) : number);
};

/** `%s %d %i %f %j %o %O %c %%` in a first text, then the rest with spaces between. */
const format = (values) => {
  let line = '';
  let next = 0;
  if (typeof values[0] === 'string' && values.length > 1) {
    const pattern = values[next++];
    let from = 0;
    for (;;) {
      const at = StringIndexOf(pattern, '%', from);
      if (at < 0 || at === pattern.length - 1) break;
      const letter = pattern[at + 1];
      line += StringSlice(pattern, from, at);
      from = at + 2;
      if (letter === '%') line += '%';
      else if (next >= values.length || StringIndexOf('sdifjoOc', letter) < 0) line += '%' + letter;
      else if (letter === 'c') next++;
      else if (letter === 'd' || letter === 'i' || letter === 'f') line += numberOf(values[next++], letter);
      else line += inspect(values[next++]);
    }
    line += StringSlice(pattern, from);
    if (next < values.length) line += ' ';
  }
  for (let first = true; next < values.length; next++, first = false) line += first ? inspect(values[next]) : (' ' + inspect(values[next]));
  return line;
};

// The lines themselves; what else a console can do is a script of its own.

const DEBUG = 0;
const INFO = 1;
const WARN = 2;
const ERROR = 3;
/** What belongs to one call. */
const state = { __proto__: null, indent: '' };

const indented = (text) => {
  if (state.indent === '') return text;
  let out = '';
  let from = 0;
  for (;;) {
    const at = StringIndexOf(text, '\n', from);
    if (at < 0) return out + state.indent + StringSlice(text, from);
    out += state.indent + StringSlice(text, from, at + 1);
    from = at + 1;
  }
};
const say = (level, text) => native.log(level, indented(text));
const line = (level) => (values) => say(level, format(values));
const lines = { __proto__: null, log: line(INFO), info: line(INFO), warn: line(WARN), error: line(ERROR), debug: line(DEBUG) };

return { __proto__: null, inspect, inspectValue, format, say, lines, state };
}
