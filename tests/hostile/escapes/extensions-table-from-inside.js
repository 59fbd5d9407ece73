// An extension writes no extension.
// expect: 418 EXTENSION_ERROR
// timeout: 2000
for (const name of ['daas_extensions', 'daas_users', 'daas_policies', 'daas_access', 'daas_deliveries', 'daas_settings'])
  for (const opts of [undefined, { elevated: true }, { emitEvents: false }]) {
    let s;
    try {
      s = await services.items(name, opts);
      await s.createOne({ name: 'stolen', event: 'items.create', type: 'filter', code: 'return payload', email: 'thief@example.com' });
    } catch {
      continue;
    }
    if (name === 'daas_extensions') throw new Error('reached: an extension was written');
  }
throw Object.assign(new Error('taken back'), { status: 418 });
