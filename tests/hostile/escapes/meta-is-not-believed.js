// A changed meta and payload do not change what is written where.
// expect: 201
// returns: {"title":"own"}
// timeout: 2000
meta.collection = 'log';
meta.keys = [1];
payload.collection = 'log';
return { title: 'own' };
