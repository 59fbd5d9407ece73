// A polluted prototype is not part of what is written.
// expect: 201
// returns: {"views":null,"body":null}
// timeout: 2000
Object.prototype.views = 666;
Object.prototype.body = 'reached';
Array.prototype.slug = 'reached';
return { title: 'x' };
