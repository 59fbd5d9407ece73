// @ts-check
// Rows that nobody needs any more go every night. A schedule runs as the system, once on however many servers share the database; its list of
// capabilities sees to it that it can do nothing else.

const DAYS = 30;
/** Deleted at once: a transaction doesn't last long, and others want to write as well. */
const AT_ONCE = 1000;

/** @type {import('@trellis/sdk').Register} */
export function register({ schedule }) {
  schedule('0 3 * * *', cleanUp, { timezone: 'Europe/Berlin', timeout_ms: 10 * 60 * 1000 });
}

/** @type {import('@trellis/sdk').ScheduleHandler} */
async function cleanUp({ scheduledAt, services, signal }) {
  // From the moment that the tick was for: a run that was late, or made up for, deletes what it would have deleted in time.
  const before = new Date(new Date(scheduledAt).getTime() - DAYS * 24 * 3600 * 1000);
  const visits = await services.items('visits');
  let gone = 0;
  try {
    while (!signal.aborted) {
      const keys = await visits.getKeysByQuery({ filter: { at: { _lt: before } }, sort: ['at'], limit: AT_ONCE });
      if (keys.length === 0) break;
      await visits.deleteMany(keys);
      gone += keys.length;
    }
  } catch (error) {
    // Where there are no visits there is nothing to tidy up.
    if (/** @type {{ code?: string }} */ (error).code !== 'COLLECTION_NOT_FOUND') throw error;
  }
  console.log(`${gone} visits deleted`);
}
