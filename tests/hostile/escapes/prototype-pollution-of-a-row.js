// A row with a prototype of its own: inherited members are not written.
// expect: 201
// returns: {"views":null,"title":"own"}
// timeout: 2000
return Object.assign(Object.create({ views: 666 }), { title: 'own' });
