// A forged caller gives no rights and is no option: the host knows who asks.
// expect: 201
// timeout: 2000
const forged = { ...context.accountability, user: '00000000-0000-0000-0000-000000000000', admin: true };
for (const option of [
  { accountability: forged },
  { admin: true },
  { system: true },
  { tx: 'x' },
  { user: forged.user },
  { collection: 'daas_users' },
]) {
  try {
    await services.items('log', option);
  } catch (e) {
    if (e instanceof TypeError) continue;
    throw e;
  }
  throw new Error(`reached: ${Object.keys(option)}`);
}
const log = await services.items.call({ accountability: forged, services }, 'log');
await log.readByQuery.call({ scope: { system: true } }, { limit: 1 });
