// Values as text for the console, loaded when something is first shown: like a terminal would, with bounds, without running getters
// or proxy traps, and never throwing.
(native, kit) => {
'use strict';
const { dataProperty, DateGetTime, DateToISOString, JSONStringify, MapForEach, MapSize, ObjectGetOwnPropertyDescriptor, ObjectIs, ObjectKeys,
  RegExpToString, SetForEach, SetSize, String, StringIndexOf, StringSlice, TypedArrayLength } = kit;
const MAX_DEPTH = 4;
const MAX_ITEMS = 100;
const MAX_LINE = 16384;

const errorText = (error) => {
  const name = dataProperty(error, 'name');
  const message = dataProperty(error, 'message');
  const stack = dataProperty(error, 'stack');
  const head = (typeof name === 'string' ? name : 'Error') + ': ' + (typeof message === 'string' ? message : '');
  return typeof stack === 'string' && stack !== '' ? (head + '\n' + native.stack(stack)) : head;
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
  if (kind === 'Error') return errorText(value);
  if (kind === 'Promise') return 'Promise {}';
  if (kind === 'ArrayBuffer') return 'ArrayBuffer {}';
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
  const keys = ObjectKeys(value);
  for (let i = 0; i < keys.length && count < MAX_ITEMS && budget.left > 0; i++) {
    const key = keys[i];
    const property = ObjectGetOwnPropertyDescriptor(value, key);
    if (property === undefined) continue;
    const shown = 'value' in property ? inspectValue(property.value, depth + 1, true, budget, inner) : '[Getter]';
    add((native.isName(key) ? key : JSONStringify(key)) + ': ' + shown);
  }
  more = keys.length - count;
  const label = kind === 'Object' ? '' : (kind + ' ');
  return label + '{' + (parts === '' ? '' : (' ' + parts + (more > 0 ? (', … ' + more + ' more') : '') + ' ')) + '}';
};

const inspect = (value) => {
  try {
    return inspectValue(value, 0, false, { __proto__: null, left: MAX_LINE }, null);
  } catch {
    return '[unprintable]';
  }
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
      else if (letter === 'd' || letter === 'i' || letter === 'f') {
        const value = values[next++];
        const number = typeof value === 'number' ? value : typeof value === 'string' ? +value : NaN;
        line += inspect(letter === 'i' ? (number === number ? number - (number % 1) : number) : number);
      } else line += inspect(values[next++]);
    }
    line += StringSlice(pattern, from);
    if (next < values.length) line += ' ';
  }
  for (let first = true; next < values.length; next++, first = false) line += first ? inspect(values[next]) : (' ' + inspect(values[next]));
  return line;
};

return { __proto__: null, inspect, format };
}
