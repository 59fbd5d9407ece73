// @ts-check
// Tells another system of new leads. An action hook: it runs after the commit, and until the receiver has answered well. What is sent is signed
// as Standard Webhooks has it, so that the receiver knows who sent it, that nothing was changed, and that it isn't an old message.

const encoder = new TextEncoder();

/** @type {import('@trellis/sdk').Register} */
export function register({ emitter }) {
  emitter.onAction('leads.items.create', async (meta, { services, signal }) => {
    const { WEBHOOK_URL, WEBHOOK_SECRET } = services.env;
    if (!WEBHOOK_URL || !WEBHOOK_SECRET) return;
    // The delivery's id names the message: a receiver that gets it twice knows.
    const id = meta.delivery.id;
    const timestamp = String(Math.floor(Date.now() / 1000));
    const body = JSON.stringify({ type: 'lead.created', timestamp: meta.delivery.first_at, data: { keys: meta.keys, payload: meta.payload } });
    const response = await services.fetch(WEBHOOK_URL, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': `v1,${await sign(WEBHOOK_SECRET, `${id}.${timestamp}.${body}`)}`,
      },
      body,
      // A receiver that wants it elsewhere is asked about that by a person.
      redirect: 'error',
      signal,
    });
    await response.body?.cancel();
    // What is thrown here has the delivery tried again later.
    if (!response.ok) throw new Error(`the receiver of the webhook answered ${response.status}`);
    console.log('told the receiver of the webhook');
  });
}

/**
 * HMAC-SHA256 in base64.
 *
 * @param {string} secret `whsec_` and base64
 * @param {string} text
 */
async function sign(secret, text) {
  const raw = Uint8Array.from(atob(secret.replace(/^whsec_/, '')), (letter) => letter.charCodeAt(0));
  const key = await crypto.subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(text)))));
}
