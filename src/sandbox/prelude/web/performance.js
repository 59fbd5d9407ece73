// What a call marks and measures of itself. Entries are plain records; nobody observes them.
(native, kit) => {
'use strict';
const { ArrayPrototype, DOMException, DateNow, ObjectFreeze, ObjectSetPrototypeOf, String, TypeError, isObject, put } = kit;
/** Entries of one call; of more the oldest go. */
const MAX_ENTRIES = 1000;

let entries = ObjectSetPrototypeOf([], null);

const text = (value) => {
  if (typeof value === 'symbol') throw new TypeError('A symbol is no text');
  return String(value);
};

const filtered = (matches) => {
  const found = ObjectSetPrototypeOf([], null);
  for (let i = 0; i < entries.length; i++) if (matches(entries[i])) found[found.length] = entries[i];
  return found;
};

/** In the order of their times, as an array of the caller's. */
const listed = (matches) => {
  const found = filtered(matches);
  for (let i = 1; i < found.length; i++) {
    const entry = found[i];
    let at = i;
    for (; at > 0 && found[at - 1].startTime > entry.startTime; at--) found[at] = found[at - 1];
    found[at] = entry;
  }
  return ObjectSetPrototypeOf(found, ArrayPrototype);
};

const add = (name, entryType, startTime, duration, detail) => {
  const entry = {};
  put(entry, 'name', name);
  put(entry, 'entryType', entryType);
  put(entry, 'startTime', startTime);
  put(entry, 'duration', duration);
  put(entry, 'detail', detail === undefined ? null : detail);
  ObjectFreeze(entry);
  if (entries.length >= MAX_ENTRIES) {
    let first = true;
    entries = filtered(() => !first || (first = false));
  }
  entries[entries.length] = entry;
  return entry;
};

const timeOf = (value, otherwise) => {
  if (value === undefined) return otherwise;
  if (typeof value === 'number') {
    if (!(value >= 0)) throw new TypeError('A time of performance is not negative');
    return value;
  }
  const name = text(value);
  for (let i = entries.length - 1; i >= 0; i--) {
    if (entries[i].entryType === 'mark' && entries[i].name === name) return entries[i].startTime;
  }
  throw new DOMException('There is no mark ' + name, 'SyntaxError');
};

const clear = (type, name) => {
  const only = name === undefined ? undefined : text(name);
  entries = filtered((entry) => entry.entryType !== type || (only !== undefined && entry.name !== only));
};

return {
  __proto__: null,
  mark(name, options) {
    const { startTime, detail } = isObject(options) ? options : { __proto__: null };
    return add(text(name), 'mark', timeOf(startTime === undefined ? undefined : +startTime, native.now()), 0, detail);
  },
  measure(name, from, to) {
    const given = isObject(from) ? from : { __proto__: null, start: from, end: to };
    const { start, end, duration, detail } = given;
    const length = duration === undefined ? undefined : +duration;
    if (length !== undefined && start !== undefined && end !== undefined) throw new TypeError('performance.measure takes two of start, end and duration');
    const last = end === undefined && length !== undefined && start !== undefined ? timeOf(start) + length : timeOf(end, native.now());
    const first = start === undefined ? (length === undefined ? 0 : last - length) : timeOf(start);
    return add(text(name), 'measure', first, last - first, detail);
  },
  clearMarks: (name) => clear('mark', name),
  clearMeasures: (name) => clear('measure', name),
  getEntries: () => listed(() => true),
  getEntriesByName(name, type) {
    const only = text(name);
    return listed((entry) => entry.name === only && (type === undefined || entry.entryType === type));
  },
  getEntriesByType(type) {
    const only = text(type);
    return listed((entry) => entry.entryType === only);
  },
  toJSON: () => ({ timeOrigin: DateNow() - native.now() }),
  reset() {
    entries = ObjectSetPrototypeOf([], null);
  },
};
}
