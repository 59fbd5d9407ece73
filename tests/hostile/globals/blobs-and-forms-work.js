// Blob, File and FormData.
// expect: 201
// timeout: 2000
const f = new FormData();
f.append('a', new File(['xy'], 'n.txt', { type: 'text/plain' }));
if (f.get('a').name !== 'n.txt' || (await f.get('a').text()) !== 'xy' || (await new Blob(['a', new Uint8Array([98])]).text()) !== 'ab')
  throw new Error('reached: a blob');
