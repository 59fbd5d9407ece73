await check('TextEncoder', () => {
  const e = new TextEncoder();
  eq(e.encoding, 'utf-8');
  eq([...e.encode('aé€😀')], [97, 195, 169, 226, 130, 172, 240, 159, 152, 128]);
  eq([...e.encode('\uD800x\uDC00')], [239, 191, 189, 120, 239, 191, 189]);
  eq(e.encode().length, 0); eq(text(e.encode(null)), 'null');
  ok(e.encode('x') instanceof Uint8Array, 'a Uint8Array');
  const target = new Uint8Array(5);
  eq(e.encodeInto('a€😀', target), { read: 2, written: 4 }); eq([...target], [97, 226, 130, 172, 0]);
  eq(e.encodeInto('ab', target.subarray(3)), { read: 2, written: 2 }); eq(target[4], 98);
  eq(e.encodeInto('😀', new Uint8Array(4)), { read: 2, written: 4 });
  throws(() => e.encodeInto('a', new Uint16Array(1)), TypeError);
  throws(() => TextEncoder.prototype.encode.call({}, 'a'), TypeError);
  eq(e.encode('x'.repeat(100000)).length, 100000);
});
await check('TextDecoder', () => {
  const d = new TextDecoder();
  eq([d.encoding, d.fatal, d.ignoreBOM], ['utf-8', false, false]);
  eq(d.decode(new Uint8Array([0xEF, 0xBB, 0xBF, 97])), 'a');
  eq(new TextDecoder('utf8', { ignoreBOM: true }).decode(new Uint8Array([0xEF, 0xBB, 0xBF, 97])), '\uFEFFa');
  eq(d.decode(new Uint8Array([0xEF, 0xBB, 0xBF, 0xEF, 0xBB, 0xBF])), '\uFEFF');
  eq(d.decode(new Uint8Array([97, 0xFF, 0xE2, 0x82, 98, 0xF0, 0x9F])), 'a\uFFFD\uFFFDb\uFFFD');
  eq(d.decode(new Uint8Array([0xED, 0xA0, 0x80])), '\uFFFD\uFFFD\uFFFD');
  eq(d.decode(), ''); eq(d.decode(new ArrayBuffer(2)), '\0\0');
  eq(d.decode(new DataView(bytes('xyz').buffer, 1, 1)), 'y');
  eq(d.decode(bytes('abcdef').subarray(2, 4)), 'cd');
  eq(d.decode(new Uint16Array([0x4141])), 'AA');
  throws(() => d.decode('text'), TypeError); throws(() => d.decode(7), TypeError);
  throws(() => new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xC3])), TypeError, 'utf-8');
  throws(() => new TextDecoder('utf-7'), RangeError, 'Encoding Standard'); throws(() => new TextDecoder('replacement'), RangeError);
  throws(() => TextDecoder.prototype.decode.call({}), TypeError);
});
await check('streams of pieces', () => {
  const whole = bytes('\uFEFFaé€😀z');
  for (let size = 1; size < 6; size++) {
    const d = new TextDecoder();
    let out = '';
    for (let i = 0; i < whole.length; i += size) out += d.decode(whole.subarray(i, i + size), { stream: true });
    eq(out + d.decode(), 'aé€😀z', `in pieces of ${size}`);
  }
  const d = new TextDecoder();
  eq(d.decode(new Uint8Array([0xE2, 0x82]), { stream: true }), ''); eq(d.decode(), '\uFFFD'); eq(d.decode(bytes('ok')), 'ok');
  const f = new TextDecoder('utf-8', { fatal: true });
  eq(f.decode(new Uint8Array([0xE2]), { stream: true }), '');
  throws(() => f.decode(), TypeError); eq(f.decode(bytes('again')), 'again');
  eq(d.decode(new Uint8Array([0xE2]), { stream: true }) + d.decode(bytes('x'), { stream: true }) + d.decode(), '\uFFFDx');
});
await check('other encodings', () => {
  eq(new TextDecoder('latin1').encoding, 'windows-1252'); eq(new TextDecoder(' ISO-8859-1\n').encoding, 'windows-1252');
  eq(new TextDecoder('ascii').decode(new Uint8Array([0x80, 0x81, 0xE9, 0x41])), '€\x81éA');
  eq(new TextDecoder('utf-16le').decode(new Uint8Array([0xFF, 0xFE, 0x41, 0, 0x3D, 0xD8, 0, 0xDE])), 'A😀');
  eq(new TextDecoder('utf-16be').decode(new Uint8Array([0xFE, 0xFF, 0, 0x41])), 'A');
  eq(new TextDecoder('utf-16').decode(new Uint8Array([0x3D, 0xD8, 0x41])), '\uFFFD');
  throws(() => new TextDecoder('utf-16le', { fatal: true }).decode(new Uint8Array([0x3D])), TypeError);
  const d = new TextDecoder('utf-16le'); let out = '';
  for (const byte of [0x41, 0, 0x3D, 0xD8, 0, 0xDE]) out += d.decode(new Uint8Array([byte]), { stream: true });
  eq(out + d.decode(), 'A😀');
});
await check('buffers that change', () => {
  const buffer = new ArrayBuffer(4, { maxByteLength: 64 });
  const view = new Uint8Array(buffer); view.set([97, 98, 99, 100]);
  buffer.resize(2); eq(text(view), 'ab');
  buffer.resize(64); eq(text(view).length, 64);
  const gone = new ArrayBuffer(8); const on = new Uint8Array(gone); gone.transfer();
  throws(() => new TextDecoder().decode(on), TypeError);
});
await check('encodings of old', () => {
  const cases = [
    ['shift_jis', [0x93, 0xFA, 0x96, 0x7B, 0xB1], '日本ｱ'], ['sjis', [0x82, 0xA0], 'あ'], ['euc-jp', [0xC6, 0xFC, 0xCB, 0xDC], '日本'],
    ['iso-2022-jp', [0x1B, 0x24, 0x42, 0x46, 0x7C, 0x4B, 0x5C, 0x1B, 0x28, 0x42, 0x61], '日本a'], ['gbk', [0xD6, 0xD0, 0xCE, 0xC4, 0x80], '中文€'],
    ['gb18030', [0x94, 0x39, 0xFC, 0x36, 0x41], '😀A'], ['big5', [0xA4, 0xA4, 0xA4, 0xE5], '中文'], ['euc-kr', [0xC7, 0xD1, 0xB1, 0xDB], '한글'],
    ['koi8-r', [0xCD, 0xC9, 0xD2], 'мир'], ['windows-1251', [0xEC, 0xE8, 0xF0], 'мир'], ['iso-8859-15', [0xA4], '€'], ['macintosh', [0x80], 'Ä'],
    ['ibm866', [0xAC, 0xA8, 0xE0], 'мир'], ['windows-874', [0xA1], 'ก'], ['x-user-defined', [0x80, 0xFF], '\uF780\uF7FF'],
  ];
  for (const [label, raw, expected] of cases) {
    const data = new Uint8Array(raw);
    eq(new TextDecoder(label, { fatal: true }).decode(data), expected, label);
    const d = new TextDecoder(label); let out = '';
    for (const byte of raw) out += d.decode(new Uint8Array([byte]), { stream: true });
    eq(out + d.decode(), expected, `${label}, byte by byte`);
  }
  throws(() => new TextDecoder('shift_jis', { fatal: true }).decode(new Uint8Array([0x93])), TypeError, 'shift_jis');
  const names = [['csShiftJIS', 'shift_jis'], ['GB2312', 'gbk'], ['cp1251', 'windows-1251'], ['korean', 'euc-kr'], ['x-mac-roman', 'macintosh'], ['UTF-16', 'utf-16le'], ['\tlatin2\f', 'iso-8859-2']];
  for (const [label, name] of names) eq(new TextDecoder(label).encoding, name);
  eq(new TextDecoder('windows-1252').decode(new Uint8Array([0xEF, 0xBB, 0xBF])), 'ï»¿');
});
