// @ts-check
// Routes under /api/ext/webhooks, for everybody: what says who sent something is its signature. It covers the bytes as they came, so those are
// what is verified, and only then is anything read out of them.

import { ed25519, hmacHex, standard } from './signatures.mjs';

/** @type {import('@trellis/sdk').Register} */
export function register({ registerRoutes, createItemsService }) {
  // With the rights of the system: the sender has none.
  const received = createItemsService('received_webhooks');

  /**
   * @param {string} source
   * @param {string} secret the name of the secret that has to be set
   * @param {(secret: string, headers: Headers, body: Uint8Array) => Promise<boolean>} isGenuine
   * @param {(headers: Headers) => string | null} idOf what is the same where a message comes twice
   */
  const webhook = (source, secret, isGenuine, idOf) => ({
    method: 'POST',
    path: `/${source}`,
    description: `A webhook as ${source} signs it`,
    public: /** @type {const} */ (true),
    rateLimit: { max: 600, windowMs: 60_000 },
    /** @type {import('@trellis/sdk').RouteHandler} */
    async handler(request, { services }) {
      const value = services.env[secret];
      if (!value) return Response.json({ error: `${secret} is not set` }, { status: 503 });
      const body = await request.bytes();
      if (!(await isGenuine(value, request.headers, body))) return Response.json({ error: 'The signature is not genuine' }, { status: 401 });
      const text = new TextDecoder().decode(body);
      // A sender that got no answer sends it again, under the same name.
      await received.upsertOne({ id: `${source} ${idOf(request.headers) ?? crypto.randomUUID()}`, source, body: text });
      return answer(source, text);
    },
  });

  registerRoutes({
    name: 'webhook-in',
    basePath: '/webhooks',
    description: 'Webhooks of others',
    routes: [
      webhook('github', 'GITHUB_SECRET', (secret, headers, body) => hmacHex(secret, headers.get('x-hub-signature-256'), body), (headers) => headers.get('x-github-delivery')),
      webhook('standard', 'STANDARD_SECRET', standard, (headers) => headers.get('webhook-id')),
      webhook('discord', 'DISCORD_PUBLIC_KEY', ed25519, (headers) => headers.get('x-signature-ed25519')),
    ],
  });
}

/** Discord asks whether somebody is there by a message of type 1, and wants one back.
 *
 * @param {string} source
 * @param {string} text
 */
const answer = (source, text) => {
  if (source !== 'discord') return new Response(null, { status: 204 });
  return Response.json({ type: JSON.parse(text).type === 1 ? 1 : 5 });
};
