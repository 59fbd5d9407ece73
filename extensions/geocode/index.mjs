// @ts-check
// Looks up where an address is before it is saved. The geocoder speaks as Nominatim does: GET search?q=…&format=jsonv2.

/** @type {import('@trellis/sdk').Register} */
export function register({ emitter }) {
  /** @type {import('@trellis/sdk').FilterHandler} */
  const locate = async (payload, meta, { services }) => {
    const { GEOCODER_URL } = services.env;
    if (!GEOCODER_URL || typeof payload.address !== 'string') return payload;
    const url = new URL('search', GEOCODER_URL);
    url.search = String(new URLSearchParams({ q: payload.address, format: 'jsonv2', limit: '1' }));
    try {
      const response = await services.fetch(url, { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(2000) });
      if (!response.ok) throw new Error(`the geocoder answered ${response.status}`);
      const [found] = await response.json();
      return { ...payload, lat: found ? Number(found.lat) : null, lon: found ? Number(found.lon) : null };
    } catch (error) {
      // A place without coordinates is better than none.
      services.log.warn('no coordinates', { address: payload.address, why: String(error) });
      return payload;
    }
  };

  emitter.onFilter('places.items.create', locate);
  emitter.onFilter('places.items.update', locate);
}
