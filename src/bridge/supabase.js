// services.supabase: the chain that people know from `@supabase/postgrest-js`. It makes the request that the real client would send, and
// hands it to the host when it is awaited. No rule lives here: what a request may do, the host decides.
(host, primordials, { tx }) => {
  const {
    ArrayIsArray, Error, JSONStringify, Map, MapHas, MapSet, ObjectFreeze, ObjectKeys, Promise, PromiseThen,
    String, StringIndexOf, TypeError, isObject, put,
  } = primordials;
  const scope = tx === undefined ? {} : { tx };
  const NOT_ONE = 'JSON object requested, multiple (or no) rows returned';
  const ABORTED = 'Request was aborted (timeout or manual cancellation)';

  const kind = (value) => (value === null ? 'null' : ArrayIsArray(value) ? 'an array' : typeof value);
  const string = (value, what) => {
    if (typeof value !== 'string') throw new TypeError('supabase: ' + what + ' must be a text, not ' + kind(value));
    return value;
  };
  const object = (value, what) => {
    if (!isObject(value) || ArrayIsArray(value)) throw new TypeError('supabase: ' + what + ' must be an object, not ' + kind(value));
    return value;
  };
  const options = (value, what) => (value === undefined || value === null ? {} : object(value, what));
  const array = (value, what) => {
    if (!ArrayIsArray(value)) throw new TypeError('supabase: ' + what + ' must be an array, not ' + kind(value));
    return value;
  };

  // What a template would make of it: a symbol is a mistake.
  const asText = (value) => {
    if (typeof value === 'symbol') throw new TypeError('supabase: a symbol is no value');
    return String(value);
  };

  // As Array.prototype.join does it, which may be patched by now.
  const join = (values) => {
    let text = '';
    for (let i = 0; i < values.length; i++) {
      if (i > 0) text += ',';
      if (values[i] !== null && values[i] !== undefined) text += ArrayIsArray(values[i]) ? join(values[i]) : asText(values[i]);
    }
    return text;
  };
  const isSpace = (c) => StringIndexOf('\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff', c) >= 0;
  const withoutSpaces = (columns) => {
    let text = '';
    let quoted = false;
    for (let i = 0; i < columns.length; i++) {
      const c = columns[i];
      if (c === '"') quoted = !quoted;
      else if (!quoted && isSpace(c)) continue;
      text += c;
    }
    return text;
  };
  const trimmed = (text) => {
    for (let i = 0; i < text.length; i++) if (!isSpace(text[i])) return true;
    return false;
  };
  const isReserved = (text) => {
    for (let i = 0; i < text.length; i++) if (text[i] === ',' || text[i] === '(' || text[i] === ')') return true;
    return false;
  };

  // Lists with numbered members, so that no patched method of arrays and no setter on their prototype is asked.
  const list = () => ({ __proto__: null, length: 0 });
  const push = (to, value) => {
    to[to.length] = value;
    to.length++;
  };
  const plain = (from) => {
    const to = [];
    for (let i = 0; i < from.length; i++) put(to, i, from[i]);
    return to;
  };

  const unique = (values) => {
    const seen = new Map();
    const kept = list();
    for (let i = 0; i < values.length; i++) {
      if (MapHas(seen, values[i])) continue;
      MapSet(seen, values[i], true);
      push(kept, values[i]);
    }
    return kept;
  };

  /** The state of one chain. */
  const request = (method, path, headers) => {
    const params = list();
    const named = (name) => {
      for (let i = 0; i < params.length; i++) if (params[i].name === name) return params[i];
      return undefined;
    };
    return {
      __proto__: null, method, path, headers, body: undefined, throws: false, maybe: false, stripped: false, signal: undefined, params,
      append: (name, value) => push(params, { __proto__: null, name, value }),
      get: (name) => named(name)?.value,
      set(name, value) {
        const entry = named(name);
        if (entry === undefined) push(params, { __proto__: null, name, value });
        else entry.value = value;
      },
      prefer(value) {
        headers.prefer = headers.prefer === undefined ? value : headers.prefer + ', ' + value;
      },
    };
  };

  const failed = (message, code, status, more) => ({
    success: false, error: { message, details: '', hint: '', code, ...more }, data: null, count: null, status, statusText: '',
  });

  /** What the host is told: the text of a body is that of the real client. */
  const message = (state) => {
    const headers = {};
    const names = ObjectKeys(state.headers);
    for (let i = 0; i < names.length; i++) put(headers, names[i], state.headers[names[i]]);
    const isRead = state.method === 'GET' || state.method === 'HEAD';
    if (!isRead) put(headers, 'content-type', 'application/json');
    if (state.stripped) {
      const { accept } = headers;
      if (accept === 'application/vnd.pgrst.object+json') put(headers, 'accept', accept + ';nulls=stripped');
      else if (accept === undefined || accept === 'application/json') put(headers, 'accept', 'application/vnd.pgrst.array+json;nulls=stripped');
    }
    const params = list();
    for (let i = 0; i < state.params.length; i++) {
      const pair = list();
      push(pair, state.params[i].name);
      push(pair, state.params[i].value);
      push(params, plain(pair));
    }
    const sent = { method: state.method, path: state.path, params: plain(params), headers };
    if (state.body !== undefined) sent.body = JSONStringify(state.body, (_, value) => (typeof value === 'bigint' ? asText(value) : value));
    return { isRead, sent };
  };

  const settled = (state, answer) => {
    let { status, statusText, count } = answer;
    if (isObject(answer.error)) return { success: false, error: answer.error, data: null, count: null, status, statusText };
    let data = answer.body;
    let error = null;
    if (data === undefined) data = null;
    if (state.maybe && ArrayIsArray(data)) {
      if (data.length > 1) {
        const details = 'Results contain ' + data.length + ' rows, application/vnd.pgrst.object+json requires 1 row';
        error = { code: 'PGRST116', details, hint: null, message: NOT_ONE };
        data = count = null;
        status = 406;
        statusText = 'Not Acceptable';
      } else data = data.length === 1 ? data[0] : null;
    }
    return { success: error === null, error, data, count: count ?? null, status, statusText };
  };

  const unsent = (error) => {
    const known = isObject(error) ? error : { message: asText(error) };
    return failed(asText(known.message), typeof known.code === 'string' ? known.code : '', typeof known.status === 'number' ? known.status : 0, {});
  };

  const aborted = () => failed('AbortError: This operation was aborted', '', 0, { hint: ABORTED });

  const thrown = (problem) => {
    const error = new Error(problem.message);
    put(error, 'name', 'PostgrestError');
    put(error, 'details', problem.details);
    put(error, 'hint', problem.hint);
    put(error, 'code', problem.code);
    return error;
  };

  /** Sends it. Rejects only for who asked for that. */
  const send = (state) => new Promise((resolve, reject) => {
    const end = (result) => {
      if (result.error !== null && state.throws) reject(thrown(result.error));
      else resolve(result);
    };
    try {
      const { signal } = state;
      if (isObject(signal)) {
        if (signal.aborted) {
          end(aborted());
          return;
        }
        signal.addEventListener('abort', () => end(aborted()), { once: true });
      }
      const { isRead, sent } = message(state);
      const answered = isRead ? host('supabase.read', scope, sent) : host('supabase.write', scope, sent);
      PromiseThen(answered, (answer) => end(settled(state, answer)), (error) => end(unsent(error)));
    } catch (error) {
      end(unsent(error));
    }
  });

  const builder = (state) => {
    let self;
    const filter = (column, text) => {
      state.append(string(column, 'the column'), text);
      return self;
    };
    const referenced = (given) => given.referencedTable ?? given.foreignTable;
    const container = (operator) => (column, value) => {
      if (typeof value === 'string') return filter(column, operator + '.' + asText(value));
      if (ArrayIsArray(value)) return filter(column, operator + '.{' + join(value) + '}');
      return filter(column, operator + '.' + JSONStringify(value));
    };
    const plainFilter = (operator) => (column, value) => filter(column, operator + '.' + asText(value));
    const several = (operator) => (column, patterns) => filter(column, operator + '.{' + join(array(patterns, 'the patterns')) + '}');
    const among = (operator) => (column, values) => {
      const kept = unique(array(values, 'the values'));
      const texts = [];
      for (let i = 0; i < kept.length; i++) {
        const value = kept[i];
        put(texts, i, typeof value === 'string' && isReserved(value) ? '"' + value + '"' : asText(value));
      }
      return filter(column, operator + '.(' + join(texts) + ')');
    };
    const same = () => self;
    const refused = (name, why) => () => {
      throw new TypeError('supabase: ' + name + '() is not there: ' + why);
    };
    self = ObjectFreeze({
      eq: plainFilter('eq'), neq: plainFilter('neq'), gt: plainFilter('gt'), gte: plainFilter('gte'), lt: plainFilter('lt'), lte: plainFilter('lte'),
      like: plainFilter('like'), ilike: plainFilter('ilike'), regexMatch: plainFilter('match'), regexIMatch: plainFilter('imatch'),
      is: plainFilter('is'), isDistinct: plainFilter('isdistinct'),
      likeAllOf: several('like(all)'), likeAnyOf: several('like(any)'), ilikeAllOf: several('ilike(all)'), ilikeAnyOf: several('ilike(any)'),
      in: among('in'), notIn: among('not.in'),
      contains: container('cs'), containedBy: container('cd'), overlaps: container('ov'),
      rangeGt: plainFilter('sr'), rangeGte: plainFilter('nxl'), rangeLt: plainFilter('sl'), rangeLte: plainFilter('nxr'),
      rangeAdjacent: plainFilter('adj'),
      textSearch(column, query, given) {
        const { config, type } = options(given, 'textSearch: the options');
        const part = type === 'plain' ? 'pl' : type === 'phrase' ? 'ph' : type === 'websearch' ? 'w' : '';
        return filter(column, part + 'fts' + (config === undefined ? '' : '(' + asText(config) + ')') + '.' + asText(query));
      },
      match(query) {
        const names = ObjectKeys(object(query, 'match: the query'));
        for (let i = 0; i < names.length; i++) if (query[names[i]] !== undefined) state.append(names[i], 'eq.' + asText(query[names[i]]));
        return self;
      },
      not: (column, operator, value) => filter(column, 'not.' + asText(operator) + '.' + asText(value)),
      or(filters, given) {
        const table = referenced(options(given, 'or: the options'));
        state.append(table ? asText(table) + '.or' : 'or', '(' + asText(filters) + ')');
        return self;
      },
      filter: (column, operator, value) => filter(column, asText(operator) + '.' + asText(value)),
      select(columns) {
        state.set('select', withoutSpaces(string(columns ?? '*', 'select: the columns')));
        state.prefer('return=representation');
        return self;
      },
      order(column, given) {
        const { ascending = true, nullsFirst, ...rest } = options(given, 'order: the options');
        const table = referenced(rest);
        const key = table ? asText(table) + '.order' : 'order';
        const before = state.get(key);
        const nulls = nullsFirst === undefined ? '' : nullsFirst ? '.nullsfirst' : '.nullslast';
        state.set(key, (before ? before + ',' : '') + asText(column) + (ascending ? '.asc' : '.desc') + nulls);
        return self;
      },
      limit(rows, given) {
        const table = referenced(options(given, 'limit: the options'));
        state.set(table === undefined ? 'limit' : asText(table) + '.limit', asText(rows));
        return self;
      },
      range(from, to, given) {
        const table = referenced(options(given, 'range: the options'));
        state.set(table === undefined ? 'offset' : asText(table) + '.offset', asText(from));
        state.set(table === undefined ? 'limit' : asText(table) + '.limit', asText(to - from + 1));
        return self;
      },
      single() {
        state.headers.accept = 'application/vnd.pgrst.object+json';
        return self;
      },
      maybeSingle() {
        state.maybe = true;
        return self;
      },
      csv() {
        state.headers.accept = 'text/csv';
        return self;
      },
      stripNulls() {
        if (state.headers.accept === 'text/csv') throw new Error('stripNulls() cannot be used with csv()');
        state.stripped = true;
        return self;
      },
      maxAffected(rows) {
        state.prefer('handling=strict');
        state.prefer('max-affected=' + asText(rows));
        return self;
      },
      abortSignal(signal) {
        state.signal = signal;
        return self;
      },
      throwOnError() {
        state.throws = true;
        return self;
      },
      returns: same,
      overrideTypes: same,
      retry: same,
      explain: refused('explain', 'the plans of the database are not shown to extensions'),
      geojson: refused('geojson', 'the database has no geometry of its own'),
      rollback: refused('rollback', 'throw inside services.transaction() instead'),
      setHeader: refused('setHeader', 'no header of an author reaches the database'),
      then: (onFulfilled, onRejected) => PromiseThen(send(state), onFulfilled, onRejected),
    });
    return self;
  };

  const columnsOf = (rows) => {
    const names = list();
    for (let i = 0; i < rows.length; i++) {
      const keys = ObjectKeys(object(rows[i], 'row ' + i));
      for (let k = 0; k < keys.length; k++) push(names, keys[k]);
    }
    const kept = unique(names);
    const quoted = [];
    for (let i = 0; i < kept.length; i++) put(quoted, i, '"' + kept[i] + '"');
    return quoted;
  };
  const writing = (state, values, { count, defaultToNull = true }) => {
    if (count) state.prefer('count=' + asText(count));
    if (!defaultToNull) state.prefer('missing=default');
    if (ArrayIsArray(values)) {
      const columns = columnsOf(values);
      if (columns.length > 0) state.set('columns', join(columns));
    }
    state.body = values;
    return builder(state);
  };

  const from = (relation) => {
    if (typeof relation !== 'string' || !trimmed(relation)) throw new Error('Invalid relation name: relation must be a non-empty string.');
    const start = (method) => request(method, '/' + relation, { __proto__: null });
    return ObjectFreeze({
      select(columns, given) {
        const { head = false, count } = options(given, 'select: the options');
        const state = start(head ? 'HEAD' : 'GET');
        state.set('select', withoutSpaces(string(columns ?? '*', 'select: the columns')));
        if (count) state.prefer('count=' + asText(count));
        return builder(state);
      },
      insert: (values, given) => writing(start('POST'), values, options(given, 'insert: the options')),
      upsert(values, given) {
        const { onConflict, ignoreDuplicates = false, ...rest } = options(given, 'upsert: the options');
        const state = start('POST');
        state.prefer('resolution=' + (ignoreDuplicates ? 'ignore' : 'merge') + '-duplicates');
        if (onConflict !== undefined) state.set('on_conflict', asText(onConflict));
        return writing(state, values, rest);
      },
      update(values, given) {
        const { count } = options(given, 'update: the options');
        const state = start('PATCH');
        if (count) state.prefer('count=' + asText(count));
        state.body = values;
        return builder(state);
      },
      delete(given) {
        const { count } = options(given, 'delete: the options');
        const state = start('DELETE');
        if (count) state.prefer('count=' + asText(count));
        return builder(state);
      },
    });
  };

  const isNested = (value) => {
    if (value === null || typeof value !== 'object') return false;
    if (!ArrayIsArray(value)) return true;
    for (let i = 0; i < value.length; i++) if (isNested(value[i])) return true;
    return false;
  };
  const rpc = (name, args, given) => {
    string(name, 'rpc: the name of the function');
    const { head = false, get = false, count } = options(given, 'rpc: the options');
    const values = args === undefined ? {} : object(args, 'rpc: the arguments');
    const names = ObjectKeys(values);
    let nested = false;
    for (let i = 0; head && i < names.length; i++) nested ||= isNested(values[names[i]]);
    const reads = (head || get) && !nested;
    const state = request(reads ? (head ? 'HEAD' : 'GET') : 'POST', '/rpc/' + name, { __proto__: null });
    if (reads) {
      for (let i = 0; i < names.length; i++) {
        const value = values[names[i]];
        if (value !== undefined) state.append(names[i], ArrayIsArray(value) ? '{' + join(value) + '}' : asText(value));
      }
    } else state.body = values;
    if (nested) state.prefer(count ? 'count=' + asText(count) + ',return=minimal' : 'return=minimal');
    else if (count) state.prefer('count=' + asText(count));
    return builder(state);
  };

  const client = ObjectFreeze({
    from,
    rpc,
    schema(name) {
      if (name !== 'public') throw new TypeError('supabase: there is one schema, public, not: ' + asText(name));
      return client;
    },
  });
  return client;
}
