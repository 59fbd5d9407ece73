// TextEncoder, TextDecoder, atob and btoa.
// expect: 201
// timeout: 2000
if (`${new TextEncoder().encode('\u20ac')}` !== '226,130,172' || new TextDecoder().decode(new Uint8Array([226, 130, 172])) !== '\u20ac')
  throw new Error('reached: another encoding');
if (btoa('\xff\x00a') !== '/wBh' || atob('/wBh') !== '\xff\x00a') throw new Error('reached: base64');
