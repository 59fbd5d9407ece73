// Only what the host lets code read, frozen, without prototype.
// expect: 201
// timeout: 2000
const env = services.env;
for (const name of ['SECRET', 'DATABASE_URL', 'ADMIN_PASSWORD', 'ADMIN_TOKEN', 'PATH', 'HOME', '__proto__', 'constructor', 'toString'])
  if (env[name] !== undefined) throw new Error(`reached: ${name}`);
if (Object.getPrototypeOf(env) !== null || !Object.isFrozen(env)) throw new Error('reached: an open object');
