// services.transaction(async (services) => …): what the callback does with the services that it is given is one transaction.
(host, { TypeError }, { tx, make }) => async (callback) => {
  if (typeof callback !== 'function') throw new TypeError('transaction: the argument must be an async function that takes services');
  const id = await host('transaction.begin', tx === undefined ? {} : { tx });
  let result;
  try {
    result = await callback(make(id));
  } catch (error) {
    await host('transaction.end', {}, id, false);
    throw error;
  }
  await host('transaction.end', {}, id, true);
  return result;
}
