// @ts-check
// Slugs for posts. A slug is made once and then stays, because people link to it; `slug: null` asks for a new one.

/** Slugs looked up at once. */
const CANDIDATES = 20;

/** @type {import('@trellis/sdk').Register} */
export function register({ emitter }) {
  emitter.onFilter('posts.items.create', async (payload, meta, context) => {
    if (payload.slug) return payload;
    return { ...payload, slug: await freeSlug(context.services, payload.title) };
  });

  emitter.onFilter('posts.items.update', async (payload, meta, context) => {
    // Only who says `slug: null`, or empties it, wants another one.
    if (!('slug' in payload) || payload.slug) return payload;
    if (meta.keys.length > 1) throw new Error('A slug belongs to one post: renew them one by one');
    const [before] = await meta.previous();
    return { ...payload, slug: await freeSlug(context.services, payload.title ?? before.title, meta.key) };
  });
}

/**
 * `hello-world`, or the first of `hello-world-2`, `hello-world-3` … that no other post has.
 *
 * Two posts that are written at the same moment may find the same one free. The field is unique, so the later one is refused: 409.
 *
 * @param {import('@trellis/sdk').Services} services
 * @param {unknown} title
 * @param {import('@trellis/sdk').Key} [own] the post that the slug is for, if it is there already
 */
async function freeSlug(services, title, own) {
  if (typeof title !== 'string' || title.trim() === '') throw new Error('A post needs a title');
  const base = slugify(title);
  // All posts count, also those that the caller may not read; and nobody else's hooks have a say in what is taken.
  const posts = await services.items('posts', { elevated: true, emitEvents: false });
  for (let first = 1; ; first += CANDIDATES) {
    const candidates = Array.from({ length: CANDIDATES }, (_, n) => (first + n === 1 ? base : `${base}-${first + n}`));
    const rows = await posts.readByQuery({ filter: { slug: { _in: candidates } }, fields: ['id', 'slug'] });
    const taken = new Set(rows.filter((row) => row.id !== own).map((row) => row.slug));
    const free = candidates.find((candidate) => !taken.has(candidate));
    if (free !== undefined) return free;
  }
}

/** @param {string} title */
function slugify(title) {
  const plain = title.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  return plain.replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '') || 'post';
}
