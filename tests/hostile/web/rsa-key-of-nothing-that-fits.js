// A modulus of a megabyte, a public exponent as long as it, numbers that divide by zero: refused, not computed with.
// expect: 201
// returns: {"views":5}
let views = 0;
const long = 'f'.repeat(1 << 20);
const jwks = [{ n: long, e: long }, { n: 'AQ', e: 'AQ' }, { n: 'f'.repeat(342), e: 'AQAB', d: 'AA', p: 'AA', q: 'AA' }, { n: 'f'.repeat(342), e: 'AA' }, { n: 'f'.repeat(342), e: 'AQAB', d: 'AQ', p: 'AQ', q: 'AQ' }];
for (const jwk of jwks) {
  try {
    await crypto.subtle.importKey('jwk', { kty: 'RSA', ...jwk }, { name: 'RSA-PSS', hash: 'SHA-256' }, true, jwk.d ? ['sign'] : ['verify']);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'DataError') views++;
  }
}
return { ...payload, views };
