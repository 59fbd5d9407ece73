// @ts-check
// A mail to every new user. An action hook: it runs after the commit, so nobody is greeted who wasn't created, and a delivery that is
// repeated doesn't greet twice.

/** @type {import('@trellis/sdk').Register} */
export function register({ emitter, createItemsService }) {
  // With the rights of the system: whoever may create users need not be able to read them.
  const users = createItemsService('daas_users');

  emitter.onAction('daas_users.items.create', async (meta, { services }) => {
    const [user] = await users.readMany(meta.keys, { fields: ['email', 'first_name'] });
    if (!user?.email) return;
    const sent = await services.mail({
      to: { name: user.first_name ?? '', address: user.email },
      subject: 'Welcome',
      text: `Hello ${user.first_name ?? user.email},\n\nyour account is ready.`,
    });
    // A server that can't be reached now may be later: what is thrown here has the delivery tried again.
    if (!sent.success && !sent.error?.startsWith('Mail is off')) throw new Error(sent.error);
    console.log(sent.success ? 'greeted a new user' : `didn't greet a new user: ${sent.error}`);
  });
}
