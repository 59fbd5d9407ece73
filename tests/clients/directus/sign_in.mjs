// The client of Directus as it is published: signing in and staying so in each of its modes, forgotten passwords, invitations, the server.
// `node sign_in.mjs <base URL> <token of an admin> <file of mails>`: ends with 1 and says why where something isn't as the client expects it.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import {
  acceptUserInvite, authentication, createDirectus, createRole, createUser, inviteUser, passwordRequest, passwordReset, readMe, rest, serverHealth, serverInfo,
  serverPing, staticToken, updateMe,
} from '@directus/sdk';
import { refused } from './common.mjs';

const [base, token, mails] = process.argv.slice(2);
const admin = createDirectus(base).with(staticToken(token)).with(rest());
const nobody = createDirectus(base).with(rest());

/** A client with the cookies of a browser. */
const browser = (mode) => {
  const jar = new Map();
  const fetch = async (url, options = {}) => {
    const headers = new Headers(options.headers);
    const path = new URL(url).pathname;
    const sent = [...jar.values()].filter((cookie) => path.startsWith(cookie.path)).map(({ pair }) => pair);
    if (options.credentials === 'include' && sent.length) headers.set('cookie', sent.join('; '));
    const response = await globalThis.fetch(url, { ...options, headers });
    for (const cookie of response.headers.getSetCookie()) {
      const [pair, ...attributes] = cookie.split('; ');
      const name = pair.slice(0, pair.indexOf('='));
      if (attributes.includes('Max-Age=0')) jar.delete(name);
      else jar.set(name, { pair, path: attributes.find((one) => one.startsWith('Path=')).slice(5) });
    }
    return response;
  };
  const client = createDirectus(base, { globals: { fetch } })
    .with(authentication(mode, { credentials: 'include', autoRefresh: false }))
    .with(rest({ credentials: 'include' }));
  return { client, jar };
};

const email = 'ann@example.com';
await admin.request(createUser({ email, password: 'a password', status: 'active' }));
for (const mode of ['json', 'cookie', 'session']) {
  const { client, jar } = browser(mode);
  const signed = await client.login({ email, password: 'a password' });
  assert.equal(typeof signed.expires, 'number');
  assert.equal(jar.size, mode === 'json' ? 0 : 1);
  assert.equal(typeof signed.access_token, mode === 'session' ? 'undefined' : 'string');
  assert.equal(typeof signed.refresh_token, mode === 'json' ? 'string' : 'undefined');
  assert.equal((await client.request(readMe())).email, email);
  assert.equal((await client.request(updateMe({ first_name: mode }, { fields: ['first_name'] }))).first_name, mode);
  const again = await client.refresh();
  assert.equal((await client.request(readMe({ fields: ['email'] }))).email, email);
  if (mode === 'json') assert.notEqual(again.refresh_token, signed.refresh_token);
  await client.logout();
  assert.equal(jar.size, 0);
  await refused(client.request(readMe()), 'UNAUTHORIZED');
  await refused(client.refresh(), mode === 'json' ? 'INVALID_PAYLOAD' : 'INVALID_CREDENTIALS');
}
await refused(browser('json').client.login({ email, password: 'wrong' }), 'INVALID_CREDENTIALS');

/** The token in the mail number `count`, when it is there. */
const mailed = async (count) => {
  for (let tries = 0; tries < 400; tries += 1) {
    const lines = existsSync(mails) ? readFileSync(mails, 'utf8').trim().split('\n').filter(Boolean) : [];
    if (lines.length >= count) {
      const text = JSON.parse(lines[count - 1]).text.replaceAll('=\r\n', '');
      return text.match(/ey[\w-]+\.[\w-]+\.[\w-]+/)[0];
    }
    await after(50);
  }
  return assert.fail(`no mail number ${count}`);
};

await nobody.request(passwordRequest('nobody@example.com'));
await nobody.request(passwordRequest(email));
const reset = await mailed(1);
await nobody.request(passwordReset(reset, 'another password'));
await refused(nobody.request(passwordReset(reset, 'once more')), 'INVALID_CREDENTIALS');
await browser('json').client.login({ email, password: 'another password' });

const role = await admin.request(createRole({ name: 'guests' }));
await admin.request(inviteUser('bob@example.com', role.id));
await nobody.request(acceptUserInvite(await mailed(2), 'the first password'));
const bob = browser('session').client;
await bob.login({ email: 'bob@example.com', password: 'the first password' });
assert.equal((await bob.request(readMe())).status, 'active');

assert.equal(await nobody.request(serverPing()), 'pong');
assert.equal((await nobody.request(serverHealth())).status, 'ok');
const info = await nobody.request(serverInfo());
assert.equal(info.project.project_name, 'Trellis');
assert.equal(info.version, undefined);
assert.equal(typeof (await admin.request(serverInfo())).version, 'string');
console.log('ok');
