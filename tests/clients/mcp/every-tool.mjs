// Lists the tools and calls each of them with the official client, which holds every result against the tool's output schema.
// Prints { called, sequence }; anything unexpected ends it with an error.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const { MCP_URL, MCP_TOKEN } = process.env;

const client = new Client({ name: 'every-tool', version: '1.0.0' });
const headers = { Authorization: `Bearer ${MCP_TOKEN}` };
await client.connect(new StreamableHTTPClientTransport(new URL(MCP_URL), { requestInit: { headers } }));

const { tools } = await client.listTools();

async function call(name, args) {
  const result = await client.callTool({ name, arguments: args });
  if (result.isError) throw new Error(`${name} ${JSON.stringify(args)}: ${JSON.stringify(result.structuredContent)}`);
  return result.structuredContent.data;
}

// A read of every tool.
const reads = {
  schema: { action: 'list' },
  items: { action: 'read', collection: 'articles' },
  collections: { action: 'list' },
  fields: { action: 'list', collection: 'articles' },
  logs: { action: 'tail' },
};
const called = [];
for (const { name, inputSchema } of tools) {
  const actions = inputSchema.properties.action.enum;
  await call(name, reads[name] ?? { action: actions.includes('list') ? 'list' : 'read' });
  called.push(name);
}

// From an idea to what runs.
const code = "return { ...payload, slug: payload.title.toLowerCase().replaceAll(' ', '-') };";
const hook = { type: 'filter', event: 'articles.items.create', code };
const sequence = [];
const report = await call('extensions', { action: 'test', ...hook, testPayload: { title: 'A Test' } });
if (report.success && report.result.slug === 'a-test') sequence.push('tested');
const { id, status } = await call('extensions', { action: 'create', name: 'Slug', ...hook, status: 'inactive' });
if (status === 'inactive') sequence.push('created');
const active = await call('extensions', { action: 'activate', id });
if (active.status === 'active') sequence.push('activated');
const list = await call('extensions', { action: 'list' });
if (list.some((one) => one.id === id && one.live.state === 'active')) sequence.push('listed');

// Mistakes are results, not exceptions.
const mistake = await client.callTool({ name: 'items', arguments: { action: 'read', collection: 'artciles' } });
if (!mistake.isError || mistake.structuredContent.error.code !== 'COLLECTION_NOT_FOUND') throw new Error(JSON.stringify(mistake));

await client.close();
console.log(JSON.stringify({ called, sequence }));
