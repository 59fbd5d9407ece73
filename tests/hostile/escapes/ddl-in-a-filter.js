// Collections and fields cannot be made or removed where a filter runs.
// expect: 201
// timeout: 2000
const c = await services.collections(),
  f = await services.fields();
for (const g of [
  () => c.createOne({ collection: 'stolen', fields: [] }),
  () => c.deleteOne('log'),
  () => f.createField('log', { field: 'x', type: 'string' }),
  () => f.deleteField('log', 'text'),
  () => f.updateField('log', 'text', {}),
]) {
  try {
    await g();
  } catch (e) {
    if (e.code === 'DDL_IN_FILTER') continue;
    throw new Error(`reached: ${e.code} ${e.message}`);
  }
  throw new Error('reached: the schema');
}
