// What a console can do besides writing lines: groups, counts, timers, tables. Loaded when one of them is first used; what it counts, and
// how far it is indented, belongs to one call.
(native, kit, shown) => {
'use strict';
const { format, inspect, inspectValue, lines, say, state } = shown;
const { JSONStringify, ObjectGetOwnPropertyDescriptor, ObjectKeys, StringSlice } = kit;
const INFO = 1;
const WARN = 2;
const ERROR = 3;
const MAX_ITEMS = 100;
const MAX_TEXT = 16384;
/** Groups in groups that are still indented, names that are counted, columns of a table. */
const MAX_GROUPS = 16;
const MAX_LABELS = 1000;
const MAX_COLUMNS = 20;
/** Characters of a cell. */
const MAX_CELL = 200;

let groups = 0;
let counts = { __proto__: null };
let starts = { __proto__: null };
let labels = 0;

const labelOf = (values) => (values.length === 0 || values[0] === undefined ? 'default' : typeof values[0] === 'string' ? values[0] : inspect(values[0]));
/** Whether there is no room for one more name. */
const isFull = (record, label) => !(label in record) && labels++ >= MAX_LABELS;

const tail = (values) => {
  const rest = { __proto__: null, length: values.length > 1 ? values.length - 1 : 0 };
  for (let i = 1; i < values.length; i++) rest[i - 1] = values[i];
  return rest;
};

const elapsed = (level, values, isEnd) => {
  const label = labelOf(values);
  if (!(label in starts)) {
    say(WARN, 'There is no timer ' + JSONStringify(label));
    return;
  }
  const ms = native.now() - starts[label];
  const rounded = (ms * 1000 - ((ms * 1000) % 1)) / 1000;
  const more = values.length > 1 ? (' ' + format(tail(values))) : '';
  say(level, label + ': ' + rounded + ' ms' + more);
  if (isEnd) delete starts[label];
};

const group = (values) => {
  if (values.length > 0) say(INFO, format(values));
  if (++groups <= MAX_GROUPS) state.indent += '  ';
};

const padded = (text, width, by = ' ') => {
  let out = text;
  while (out.length < width) out += by;
  return out;
};

/** Own enumerable data members, by name. */
const cellsOf = (row) => {
  const cells = { __proto__: null };
  if (typeof row !== 'object' || row === null || native.classOf(row) === 'Proxy') return cells;
  const keys = ObjectKeys(row);
  for (let i = 0; i < keys.length && i < MAX_ITEMS; i++) {
    const property = ObjectGetOwnPropertyDescriptor(row, keys[i]);
    if (property !== undefined) cells[keys[i]] = 'value' in property ? property.value : undefined;
  }
  return cells;
};

const table = (data, chosen) => {
  const rows = cellsOf(data);
  const columns = { __proto__: null };
  let count = 0;
  let hasValues = false;
  const only = chosen === undefined ? undefined : cellsOf(chosen);
  for (const name in only) if (count++ < MAX_COLUMNS) columns[only[name]] = true;
  for (const key in rows) {
    const isRow = typeof rows[key] === 'object' && rows[key] !== null;
    if (!isRow) hasValues = true;
    if (only !== undefined) continue;
    for (const name in cellsOf(rows[key])) if (!(name in columns) && count++ < MAX_COLUMNS) columns[name] = true;
  }
  const grid = { __proto__: null };
  const widths = { __proto__: null };
  let height = 0;
  const put = (cells) => {
    grid[height++] = cells;
    for (const column in cells) if (!(cells[column].length <= widths[column])) widths[column] = cells[column].length;
  };
  const budget = { __proto__: null, left: MAX_TEXT };
  const short = (text) => (text.length > MAX_CELL ? (StringSlice(text, 0, MAX_CELL) + '…') : text);
  const cell = (value) => short(inspectValue(value, 3, true, budget, null));
  const head = { __proto__: null, '(index)': '(index)' };
  for (const column in columns) head['.' + column] = short(column);
  if (hasValues) head['(values)'] = 'Values';
  put(head);
  for (const key in rows) {
    if (budget.left <= 0) break;
    const cells = { __proto__: null, '(index)': short(key) };
    const isRow = typeof rows[key] === 'object' && rows[key] !== null;
    const members = isRow ? cellsOf(rows[key]) : undefined;
    for (const column in columns) if (isRow && column in members) cells['.' + column] = cell(members[column]);
    if (hasValues && !isRow) cells['(values)'] = cell(rows[key]);
    put(cells);
  }
  let out = '';
  for (let at = 0; at < height; at++) {
    let text = '';
    for (const column in head) text += (text === '' ? '' : ' | ') + padded(grid[at][column] ?? '', widths[column]);
    out += (at === 0 ? '' : '\n') + text;
    if (at > 0) continue;
    let rule = '';
    for (const column in head) rule += (rule === '' ? '' : '-|-') + padded('', widths[column], '-');
    out += '\n' + rule;
  }
  return out;
};

const console = {
  __proto__: null,
  dir: (values) => say(INFO, inspect(values[0])),
  dirxml: lines.log,
  group,
  groupCollapsed: group,
  groupEnd() {
    if (groups === 0) return;
    if (groups-- <= MAX_GROUPS) state.indent = StringSlice(state.indent, 2);
  },
  clear() {
    groups = 0;
    state.indent = '';
  },
  assert(values) {
    if (values[0]) return;
    const rest = tail(values);
    const text = 'Assertion failed';
    if (rest.length === 0) say(ERROR, text);
    else if (typeof rest[0] === 'string') {
      rest[0] = text + ': ' + rest[0];
      say(ERROR, format(rest));
    } else say(ERROR, text + ' ' + format(rest));
  },
  count(values) {
    const label = labelOf(values);
    if (isFull(counts, label)) return;
    counts[label] = (counts[label] ?? 0) + 1;
    say(INFO, label + ': ' + counts[label]);
  },
  countReset(values) {
    const label = labelOf(values);
    if (label in counts) counts[label] = 0;
    else say(WARN, 'There is no count ' + JSONStringify(label));
  },
  time(values) {
    const label = labelOf(values);
    if (label in starts) say(WARN, 'The timer ' + JSONStringify(label) + ' runs already');
    else if (!isFull(starts, label)) starts[label] = native.now();
  },
  timeLog: (values) => elapsed(INFO, values, false),
  timeEnd: (values) => elapsed(INFO, values, true),
  table(values) {
    const data = values[0];
    const columns = values[1];
    say(INFO, typeof data === 'object' && data !== null ? table(data, columns) : format(values));
  },
  trace(values) {
    const text = values.length === 0 ? '' : (' ' + format(values));
    const stack = native.stack(kit.ErrorStack(new kit.Error('')));
    say(INFO, 'Trace:' + text + (stack === '' ? '' : ('\n' + stack)));
  },
};

const reset = () => {
  groups = labels = 0;
  counts = { __proto__: null };
  starts = { __proto__: null };
};

return { __proto__: null, console, reset };
}
