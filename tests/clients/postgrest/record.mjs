// Prints the request that the real client sends for each call: `node record.mjs > requests.json`.
import { readFileSync } from 'node:fs';
import { PostgrestClient } from '@supabase/postgrest-js';

const calls = JSON.parse(readFileSync(new URL('calls.json', import.meta.url), 'utf8'));
const requests = {};
for (const { name, chain } of calls) {
  const seen = [];
  const fetch = async (url, { method, headers, body }) => {
    const { pathname, search } = new URL(url);
    const told = {};
    for (const key of ['accept', 'content-type', 'prefer']) if (headers[key] !== undefined) told[key] = headers[key];
    seen.push({ method, path: pathname, search, headers: told, ...(body === undefined ? {} : { body }) });
    return new Response('[]', { status: 200, headers: { 'content-type': 'application/json' } });
  };
  await new Function('db', `return ${chain}`)(new PostgrestClient('http://database', { fetch }));
  if (seen.length !== 1) throw new Error(`${name}: ${seen.length} requests`);
  requests[name] = seen[0];
}
console.log(JSON.stringify(requests, null, 1));
