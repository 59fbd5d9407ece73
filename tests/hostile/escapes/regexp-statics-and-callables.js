// Old doors: RegExp.$1, callable expressions, __parent__, __lookupGetter__.
// expect: 201
// timeout: 2000
/(secret)/.exec('secret');
for (const k of ['$1', 'lastMatch', 'input', '$_', 'leftContext'])
  if (RegExp[k] !== undefined && /[^sec]/.test(String(RegExp[k]).replace(/secret/g, ''))) throw new Error(`reached: RegExp.${k}`);
for (const k of ['__parent__', '__count__', '__noSuchMethod__']) if ({}[k] !== undefined) throw new Error(`reached: ${k}`);
for (const k of Object.keys(context)) {
  const g = context.__lookupGetter__(k);
  if (g && !/^(get )?signal$|^get$/.test(g.name)) throw new Error(`reached: ${g.name}`);
}
