// @ts-check
// Three ways in which senders sign what they send. Each answers whether a signature is genuine; the comparison takes a time that tells nothing.

const encoder = new TextEncoder();

/** Bytes in hexadecimal digits; `undefined` if it isn't that.
 *
 * @param {string} text
 */
const fromHex = (text) => (/^(?:[0-9a-f]{2})+$/i.test(text) ? Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16)) : undefined);

/** @param {string} text */
const fromBase64 = (text) => {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
};

/** @param {Uint8Array} secret */
const hmacKey = (secret) => crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);

/**
 * HMAC-SHA256 in hexadecimal digits, as GitHub sends it: `x-hub-signature-256: sha256=…`.
 *
 * @param {string} secret
 * @param {string | null} signature
 * @param {Uint8Array} body
 */
export async function hmacHex(secret, signature, body) {
  const mac = signature?.startsWith('sha256=') ? fromHex(signature.slice(7)) : undefined;
  return mac !== undefined && crypto.subtle.verify('HMAC', await hmacKey(encoder.encode(secret)), mac, body);
}

/** How old a message may be, and how far a clock may be off, in seconds. */
const TOLERANCE = 300;

/**
 * HMAC-SHA256 in base64 with a time, as Standard Webhooks has it: what is signed is `id.timestamp.body`, the secret is `whsec_` and base64, and
 * several signatures may stand in a row while a secret is replaced.
 *
 * @param {string} secret
 * @param {Headers} headers
 * @param {Uint8Array} body
 * @param {number} now seconds since 1970
 */
export async function standard(secret, headers, body, now = Date.now() / 1000) {
  const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => headers.get(name));
  const raw = fromBase64(secret.replace(/^whsec_/, ''));
  if (!id || !timestamp || !signatures || raw === undefined || raw.length === 0) return false;
  if (!/^[0-9]+$/.test(timestamp) || Math.abs(now - Number(timestamp)) > TOLERANCE) return false;
  const key = await hmacKey(raw);
  const signed = new Uint8Array(await new Blob([`${id}.${timestamp}.`, body]).arrayBuffer());
  for (const part of signatures.split(' ').slice(0, 8)) {
    const mac = part.startsWith('v1,') ? fromBase64(part.slice(3)) : undefined;
    if (mac !== undefined && (await crypto.subtle.verify('HMAC', key, mac, signed))) return true;
  }
  return false;
}

/**
 * Ed25519 in hexadecimal digits over `timestamp` and body, as Discord sends it. The sender has the secret; what is known here is public.
 *
 * @param {string} publicKey in hexadecimal digits
 * @param {Headers} headers
 * @param {Uint8Array} body
 */
export async function ed25519(publicKey, headers, body) {
  const [point, signature] = [fromHex(publicKey), fromHex(headers.get('x-signature-ed25519') ?? '')];
  const timestamp = headers.get('x-signature-timestamp');
  if (point?.length !== 32 || signature?.length !== 64 || timestamp === null) return false;
  const key = await crypto.subtle.importKey('raw', point, 'Ed25519', false, ['verify']);
  return crypto.subtle.verify('Ed25519', key, signature, new Uint8Array(await new Blob([timestamp, body]).arrayBuffer()));
}
