await check('parts', () => {
  const u = new URL('HTTPS://us%20er:pa@Example.COM:8443/a/../b c?x=1&y=ä#h h');
  eq(u.href, 'https://us%20er:pa@example.com:8443/b%20c?x=1&y=%C3%A4#h%20h');
  eq([u.origin, u.protocol, u.username, u.password, u.host, u.hostname, u.port, u.pathname, u.search, u.hash],
    ['https://example.com:8443', 'https:', 'us%20er', 'pa', 'example.com:8443', 'example.com', '8443', '/b%20c', '?x=1&y=%C3%A4', '#h%20h']);
  eq([`${u}`, u.toString(), JSON.stringify(u)], [u.href, u.href, `"${u.href}"`]);
  eq(new URL('https://h:443/').port, '');
  eq(new URL('//other/x', 'http://h/').href, 'http://other/x');
  eq(new URL('../c?d', 'http://h/a/b/').href, 'http://h/a/c?d');
  eq(new URL('http://[::1]:80/').host, '[::1]');
  eq(new URL('http://0x7f.1/').hostname, '127.0.0.1');
  eq(new URL('http://bücher.example/').hostname, 'xn--bcher-kva.example');
  eq(new URL('data:text/plain,hi').origin, 'null');
  eq(new URL('  http://h/\tp\n').href, 'http://h/p');
  eq(new URL({ toString: () => 'http://h/' }).href, 'http://h/');
  eq(new URL('http://h/\uD800').pathname, '/%EF%BF%BD');
});
await check('refusals', () => {
  throws(() => new URL('/path'), TypeError, 'Invalid URL: /path');
  throws(() => new URL('x', 'also-none'), TypeError, 'base');
  throws(() => new URL('http://h:99999/'), TypeError);
  throws(() => new URL(), TypeError);
  throws(() => URL('http://h'), TypeError);
  throws(() => Object.getOwnPropertyDescriptor(URL.prototype, 'href').get.call({}), TypeError);
  eq([URL.canParse('http://h'), URL.canParse('h'), URL.canParse('h', 'http://x'), URL.parse('h'), URL.parse('h', 'http://x').href],
    [true, false, true, null, 'http://x/h']);
});
await check('setters', () => {
  const u = new URL('http://h/p?q#f');
  u.protocol = 'https'; u.username = 'a b'; u.password = 'c'; u.host = 'n.example:81'; u.pathname = 'x y'; u.search = 'k=v'; u.hash = 'z';
  eq(u.href, 'https://a%20b:c@n.example:81/x%20y?k=v#z');
  u.hostname = 'm.example'; u.port = '443';
  eq(u.host, 'm.example');
  u.port = 'x'; eq(u.port, ''); u.port = '8x'; eq(u.port, '8'); u.port = ''; eq(u.port, '');
  u.search = ''; u.hash = ''; u.username = ''; u.password = '';
  eq(u.href, 'https://m.example/x%20y');
  u.protocol = 'nonspecial'; eq(u.protocol, 'https:');
  u.host = 'bad host'; eq(u.host, 'm.example');
  throws(() => { u.href = 'nothing'; }, TypeError); eq(u.hostname, 'm.example');
  u.href = 'http://new/?a=1'; eq(u.searchParams.get('a'), '1');
});
await check('parameters live both ways', () => {
  const u = new URL('http://h/?a=1&b=2');
  const p = u.searchParams;
  ok(p === u.searchParams, 'the same object');
  p.append('c', 'x y&=é'); eq(u.search, '?a=1&b=2&c=x+y%26%3D%C3%A9');
  p.delete('a'); p.set('b', '3'); eq(u.href, 'http://h/?b=3&c=x+y%26%3D%C3%A9');
  u.search = '?n=1'; eq([...p], [['n', '1']]);
  u.href = 'http://h/?m=2'; eq(p.toString(), 'm=2');
  p.delete('m'); eq(u.href, 'http://h/');
  eq(p.size, 0);
});
await check('URLSearchParams', () => {
  eq(new URLSearchParams('?a=1&a=2&b').getAll('a'), ['1', '2']);
  eq([...new URLSearchParams('a=b+c%20d&=x&&y=%zz%C3%A9')], [['a', 'b c d'], ['', 'x'], ['y', '%zzé']]);
  eq(new URLSearchParams({ a: 1, b: null }).toString(), 'a=1&b=null');
  eq(new URLSearchParams([['a', 1], new Set(['b', 2])]).toString(), 'a=1&b=2');
  eq(new URLSearchParams(new URLSearchParams('x=1')).toString(), 'x=1');
  eq(new URLSearchParams(undefined).toString(), '');
  eq(new URLSearchParams(null).toString(), 'null=');
  eq(new URLSearchParams(new Map([['m', 'v']])).get('m'), 'v');
  throws(() => new URLSearchParams([['a']]), TypeError, 'pair');
  throws(() => new URLSearchParams([['a', 'b', 'c']]), TypeError, 'pair');
  throws(() => new URLSearchParams(['ab', 'x']), TypeError);
  const p = new URLSearchParams('b=1&a=2&b=3&é=4');
  eq([p.get('b'), p.get('z'), p.has('b'), p.has('b', '3'), p.has('b', '9'), p.size], ['1', null, true, true, false, 4]);
  p.sort(); eq(p.toString(), 'a=2&b=1&b=3&%C3%A9=4');
  p.delete('b', '1'); eq(p.toString(), 'a=2&b=3&%C3%A9=4');
  p.set('b', 'n'); p.set('new', '1'); eq([...p.keys()], ['a', 'b', 'é', 'new']); eq([...p.values()], ['2', 'n', '4', '1']);
  const seen = []; p.forEach(function (value, name, all) { seen.push(name + value + (all === p) + this.x); }, { x: 1 });
  eq(seen[0], 'a2true1');
  throws(() => p.append('one'), TypeError, '2 arguments');
  throws(() => p.get(), TypeError);
  eq(new URLSearchParams("~!*()'").toString(), '%7E%21*%28%29%27=');
});
await check('iteration is live', () => {
  const p = new URLSearchParams('a=1&b=2');
  const names = [];
  for (const [name] of p) { names.push(name); if (name === 'a') p.append('c', '3'); }
  eq(names, ['a', 'b', 'c']);
  const it = p.entries();
  eq(Object.prototype.toString.call(it), '[object URLSearchParams Iterator]');
  ok(it[Symbol.iterator]() === it, 'an iterable iterator');
  ok(URLSearchParams.prototype[Symbol.iterator] === URLSearchParams.prototype.entries, 'the same function');
  throws(() => Object.getPrototypeOf(it).next.call({}), TypeError);
  eq(new URLSearchParams('a=1&b=2').entries().map(([k]) => k).toArray(), ['a', 'b']);
});
await check('subclasses', () => {
  class Mine extends URL { get extra() { return this.host + '!'; } }
  const m = new Mine('http://h/'); eq([m.extra, m instanceof URL, m instanceof Mine], ['h!', true, true]);
});
