// @ts-check
// Routes under /api/ext/customers.

const PAGE = 20;
const MAX_PAGE = 100;

/** @type {import('@trellis/sdk').Register} */
export function register({ registerRoutes }) {
  registerRoutes({
    name: 'customers',
    basePath: '/customers',
    description: 'Customers',
    routes: [
      { method: 'GET', path: '/', description: 'A page of customers', requiredPermission: 'customers.read', handler: list },
      { method: 'POST', path: '/', description: 'A new customer', requiredPermission: 'customers.create', handler: create },
      // A fixed segment goes before `:id`, wherever it stands.
      {
        method: 'GET',
        path: '/count',
        description: 'How many customers there are, for everybody',
        public: true,
        rateLimit: { max: 10, windowMs: 60_000 },
        handler: count,
      },
      { method: 'GET', path: '/:id', description: 'One customer', requiredPermission: 'customers.read', handler: read },
    ],
  });
}

/** @type {import('@trellis/sdk').RouteHandler} */
async function list(request, context) {
  const { searchParams } = new URL(request.url);
  const page = whole(searchParams, 'page', 1, 1_000_000);
  const limit = whole(searchParams, 'limit', PAGE, MAX_PAGE);
  const search = searchParams.get('search') ?? '';
  const customers = await context.services.items('customers');
  const { items, count } = await customers.readByQueryWithCount({ sort: ['name'], search, page, limit });
  return { data: items, meta: { page, pages: Math.ceil(count / limit), count } };
}

/** @type {import('@trellis/sdk').RouteHandler} */
async function read(request, context) {
  const customers = await context.services.items('customers');
  try {
    return { data: await customers.readOne(context.params.id) };
  } catch (error) {
    return refused(error);
  }
}

/** @type {import('@trellis/sdk').RouteHandler} */
async function create(request, context) {
  const { name, email } = await body(request);
  if (typeof name !== 'string' || name.trim() === '') throw problem(400, '`name` must be a text that is not empty');
  if (typeof email !== 'string' || !/^[^@\s]+@[^@\s]+$/.test(email)) throw problem(400, '`email` must be an e-mail address');
  const customers = await context.services.items('customers');
  const customer = { name: name.trim(), email: email.toLowerCase() };
  try {
    const id = await customers.createOne(customer);
    return Response.json({ data: { id, ...customer } }, { status: 201, headers: { location: `/api/ext/customers/${id}` } });
  } catch (error) {
    return refused(error);
  }
}

/** @type {import('@trellis/sdk').RouteHandler} */
async function count(request, context) {
  // Whoever calls may read nothing. What they get is one number, so the permission check is skipped on purpose.
  const customers = await context.services.items('customers', { elevated: true });
  const [row] = await customers.readAggregate({ aggregate: { count: ['*'] } });
  return { count: row.count };
}

/**
 * An answer to be returned, or thrown from wherever it is clear.
 *
 * @param {number} status
 * @param {string} message
 */
const problem = (status, message) => Response.json({ error: message }, { status });

/**
 * What a service refused is the caller's to know: missing, forbidden, not unique. Anything else is a mistake in here and answers 500.
 *
 * @param {unknown} error
 */
function refused(error) {
  const { status, message } = /** @type {import('@trellis/sdk').ServiceError} */ (error);
  if (status >= 400 && status < 500) return problem(status, message);
  throw error;
}

/**
 * The JSON object in the body.
 *
 * @param {Request} request
 */
async function body(request) {
  const value = await request.json().catch(() => undefined);
  if (typeof value !== 'object' || value === null) throw problem(400, 'The body must be a JSON object');
  return value;
}

/**
 * @param {URLSearchParams} parameters
 * @param {string} name
 * @param {number} without what holds where it isn't given
 * @param {number} max
 */
function whole(parameters, name, without, max) {
  const text = parameters.get(name);
  if (text === null) return without;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > max) throw problem(400, `\`${name}\` must be a whole number from 1 to ${max}`);
  return number;
}
